"""Data that the library reads or makes."""

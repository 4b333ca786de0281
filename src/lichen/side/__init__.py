"""Side networks: small trainable networks beside a frozen backbone."""

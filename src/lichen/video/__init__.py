"""Video diffusion models of diffusers, and what SMCD adds to them: moving boxes and a first picture.

`pipeline.py` is what a user calls, `adapter.py` what is trained, `base.py` the frozen model below it.
"""

from __future__ import annotations

from ..scene.extras import need

need("diffusers", "video", "Video models are built")

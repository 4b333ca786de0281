"""Where boxes come from: networks that find them, or people who drew them, behind one interface.

```python
detector = load_detector("embedded:ssd-mobilenet")
regions = detector([picture])
```
"""

from __future__ import annotations

from .detector import Detector, DetectorConfig
from .given import GivenBoxes
from .loading import EMBEDDED, load_detector

__all__ = ["EMBEDDED", "Detector", "DetectorConfig", "GivenBoxes", "load_detector"]

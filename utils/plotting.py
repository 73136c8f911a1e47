"""matplotlib as every figure of a stage uses it: without a display, and names stay text, a ``$`` in them included."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

matplotlib.rcParams["text.parse_math"] = False

__all__ = ["matplotlib", "plt"]

"""The array types of the service, in one place; shapes are given where the arrays are."""

import numpy as np
import numpy.typing as npt

from macrid.artifacts.schema import Float32Array, Int64Array

BoolArray = npt.NDArray[np.bool_]
Float64Array = npt.NDArray[np.float64]

__all__ = ["BoolArray", "Float32Array", "Float64Array", "Int64Array"]

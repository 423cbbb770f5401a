# SPDX-License-Identifier: Apache-2.0
"""sensor_msgs/Image to and from numpy: by cv_bridge where installed, else by an equal numpy path.

Colour names convert into each other; generic encodings (8UC3, 16UC1, 32FC1) do not become a
colour, as in cv_bridge.
"""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from hiors_core.errors import InvalidValue, UnknownName

try:
    from cv_bridge import CvBridge
except ImportError:
    CvBridge = None

_COLOURS: dict[str, tuple[type[Any], int]] = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "rgba8": (np.uint8, 4),
    "bgra8": (np.uint8, 4),
    "mono8": (np.uint8, 1),
}
_GENERIC: dict[str, tuple[type[Any], int]] = {
    "8UC1": (np.uint8, 1),
    "8UC3": (np.uint8, 3),
    "8UC4": (np.uint8, 4),
    "16UC1": (np.uint16, 1),
    "mono16": (np.uint16, 1),
    "32FC1": (np.float32, 1),
}
_ENCODINGS = _COLOURS | _GENERIC


def to_numpy(message: Image, encoding: str = "passthrough") -> NDArray[Any]:
    """Return (height, width[, channels]) in the encoding asked for; one channel comes back 2-D."""
    if CvBridge is not None:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, encoding))
    return decode(message, encoding)


def to_message(image: NDArray[Any], encoding: str, frame_id: str = "") -> Image:
    """Make an Image; ``encoding`` must fit the array's type and channels."""
    kind, channels = _encoding(encoding)
    shape = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != kind or shape != channels or image.ndim not in (2, 3):
        raise InvalidValue(
            f"Encoding '{encoding}' needs {np.dtype(kind)} with {channels} channel(s), "
            f"got {image.dtype} of shape {image.shape}"
        )
    height, width = image.shape[:2]
    message = Image(height=height, width=width, encoding=encoding, is_bigendian=0)
    message.step = width * channels * image.dtype.itemsize
    message.data = array("B", np.ascontiguousarray(image).tobytes())
    message.header.frame_id = frame_id
    return message


def decode(message: Image, encoding: str = "passthrough") -> NDArray[Any]:
    """Do with numpy what cv_bridge's imgmsg_to_cv2 does for the encodings known here."""
    kind, channels = _encoding(message.encoding)
    image = _pixels(message, np.dtype(kind), channels)
    wanted = message.encoding if encoding == "passthrough" else encoding
    if wanted == message.encoding:
        return image
    _, wanted_channels = _encoding(wanted)
    if message.encoding in _COLOURS and wanted in _COLOURS:
        return _recolour(image, message.encoding, wanted)
    same = _encoding(wanted) == (kind, channels)
    if same and (wanted in _GENERIC):
        return image
    raise InvalidValue(
        f"Cannot convert an image from '{message.encoding}' to '{wanted}' "
        f"({channels} to {wanted_channels} channels)"
    )


def _encoding(name: str) -> tuple[type[Any], int]:
    if name not in _ENCODINGS:
        raise UnknownName("image encoding", name, _ENCODINGS)
    return _ENCODINGS[name]


def _pixels(message: Image, kind: "np.dtype[Any]", channels: int) -> NDArray[Any]:
    row = message.width * channels * kind.itemsize
    step = message.step or row
    data = np.frombuffer(message.data, dtype=np.uint8)
    if step < row or data.size < step * message.height:
        raise InvalidValue(
            f"Image of {message.width}x{message.height} {message.encoding} needs "
            f"{row * message.height} bytes in rows of {row}, got {data.size} in rows of {step}"
        )
    rows = data[: step * message.height].reshape(message.height, step)[:, :row]
    order = ">" if message.is_bigendian else "<"
    shape = (message.height, message.width) + ((channels,) if channels > 1 else ())
    pixels = np.ascontiguousarray(rows).view(kind.newbyteorder(order)).reshape(shape)
    return pixels if not message.is_bigendian else pixels.astype(kind)


def _recolour(image: NDArray[Any], source: str, target: str) -> NDArray[Any]:
    if source == "mono8":
        rgb = np.repeat(image[..., None], 3, axis=2)
    else:
        rgb = image[..., 2::-1] if source.startswith("bgr") else image[..., :3]
    if target == "mono8":
        r, g, b = (rgb[..., i].astype(np.uint32) for i in range(3))
        return ((9798 * r + 19235 * g + 3735 * b + (1 << 14)) >> 15).astype(np.uint8)
    out = rgb[..., ::-1] if target.startswith("bgr") else rgb
    if not target.endswith("a8"):
        return np.ascontiguousarray(out)
    alpha = image[..., 3:] if source.endswith("a8") else np.full_like(out[..., :1], 255)
    return np.concatenate([out, alpha], axis=2)

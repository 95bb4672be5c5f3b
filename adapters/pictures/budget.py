"""What one picture may cost, held against its header before it is decoded (docs/adr/0023)."""

from dataclasses import dataclass

from adapters.errors import PictureTooLarge

MAX_PIXELS = 64_000_000
MAX_SIDE_PX = 65_535
BYTES_A_PIXEL = 6.25  # of the most pixels that are allowed: 400 MB for 64 million
NS_A_PIXEL = 31.25  # the same: 2 s of a core
MB = 1e6


@dataclass(frozen=True)
class Work:
    """What decoding a file takes beside the file itself, besides the picture that Pillow returns."""

    held_bytes: float
    seconds: float


@dataclass(frozen=True)
class Budget:
    """The bounds of one picture; memory and time grow with the pixels that are allowed."""

    max_pixels: int = MAX_PIXELS

    @property
    def max_bytes(self) -> float:
        """Most memory that decoding and resizing may take."""
        return BYTES_A_PIXEL * self.max_pixels

    @property
    def max_seconds(self) -> float:
        """Most time of one core, of those that the costs were measured on."""
        return NS_A_PIXEL * self.max_pixels / 1e9

    def check_size(self, width: int, height: int) -> None:
        """Raises PictureTooLarge for too many pixels, or too many in a row or a column."""
        if width * height > self.max_pixels:
            raise PictureTooLarge(f"{width}x{height} pixels; at most {self.max_pixels} are read")
        if max(width, height) > MAX_SIDE_PX:
            raise PictureTooLarge(f"{width}x{height} pixels; at most {MAX_SIDE_PX} a side are read")

    def check_work(self, work: Work, what: str) -> None:
        """Raises PictureTooLarge for a picture that takes more memory or time than is allowed."""
        if work.held_bytes > self.max_bytes:
            raise PictureTooLarge(
                f"{what} takes {work.held_bytes / MB:.0f} MB to decode; at most {self.max_bytes / MB:.0f} MB"
            )
        if work.seconds > self.max_seconds:
            raise PictureTooLarge(
                f"{what} takes about {work.seconds:.1f} s to decode; at most {self.max_seconds:.2g} s"
            )


def check_count(found: int, allowed: int, what: str) -> None:
    """Raises PictureTooLarge for more parts of a file than are read."""
    if found > allowed:
        raise PictureTooLarge(f"{found} {what}; at most {allowed} are read")

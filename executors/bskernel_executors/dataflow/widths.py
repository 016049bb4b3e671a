"""How wide an activation may be: each channel is compared with 2**bits - 1 thresholds."""

FINN_WIDEST = 8  # bits; the default of FINN's max_multithreshold_bit_width
WIDEST = 12  # bits; the default here: 4095 thresholds per channel


def find_smallest_type(low: int, high: int) -> tuple[str, int]:
    """Find the smallest integer type that holds low to high, which is above low: FINN's name of it, and its bits."""
    if low >= 0:
        bits = high.bit_length()
        return f"UINT{bits}", bits
    bits = 1 + max(high.bit_length(), (-low - 1).bit_length())
    return f"INT{bits}", bits

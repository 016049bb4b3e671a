"""How wide an activation may be: each channel is compared with 2**bits - 1 thresholds."""

FINN_WIDEST = 8  # bits; the default of FINN's max_multithreshold_bit_width
WIDEST = 12  # bits; the default here: 4095 thresholds per channel

"""Place, route and pack a synthesised design for Lattice's devices, with nextpnr and what belongs to it."""

"""Place, route and pack a synthesised design for an ECP5, with nextpnr and Project Trellis."""

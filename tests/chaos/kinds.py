"""All kinds, in the order of their campaigns."""

from chaos import damage, hostile, kills, models, places, power
from chaos.fuzz.campaign import KINDS as FUZZ
from chaos.kind import Kind

KINDS: list[Kind] = [*kills.KINDS, *hostile.KINDS, *damage.KINDS, *FUZZ, *places.KINDS, *power.KINDS, *models.KINDS]

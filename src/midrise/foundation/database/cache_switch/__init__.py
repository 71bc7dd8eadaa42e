"""Whether the cache may be used, which the database knows: a row that every server watches."""

from midrise.foundation.database.cache_switch.marking import Generations, Marking
from midrise.foundation.database.cache_switch.state import CacheState, PostgresCacheState
from midrise.foundation.database.cache_switch.switch import CacheServer, CacheSwitch

__all__ = ["CacheServer", "CacheState", "CacheSwitch", "Generations", "Marking", "PostgresCacheState"]

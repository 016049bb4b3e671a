"""build.lock: everything that decides a build's bytes, by digest. Compared with what is here now."""

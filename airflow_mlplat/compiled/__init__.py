"""What libraries do too slowly, in C: each gives the bytes of what stands in where it was not compiled.

`scripts/compile` makes one shared library of the `.c` files, which wheels for Linux on x86-64 contain. It is called
through ctypes, so one file serves every Python. It leaves Python's lock meanwhile, unless it makes Python's objects.
"""

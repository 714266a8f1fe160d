#!/usr/bin/env python3
# Small HDF5 files as h5py writes them, for hdf5_test.cpp: make_hdf5.py, in this folder. Needs numpy and h5py.
import h5py
import numpy

n, side = 12, 8
index = numpy.arange(n * side * side * 3, dtype=numpy.int64)
images = (index * 7 % 251).astype(numpy.uint8).reshape(n, side, side, 3)
with h5py.File("galaxy10_small.h5", "w", libver="earliest") as file:
    file.create_dataset("images", data=images, chunks=(5, side, side, 3), compression="gzip")
    file.create_dataset("ans", data=(numpy.arange(n) * 3 % 10).astype(numpy.uint8))
    file.create_dataset("ra", data=numpy.linspace(10, 20, n))
    file.create_dataset("group/redshift", data=numpy.linspace(0.01, 0.1, n).astype(numpy.float32))
    file.create_dataset("group/count", data=(numpy.arange(n) - 4).astype(numpy.int16))
    file.create_dataset("number", data=numpy.float64(2.5))
    file.create_dataset("names", data=[f"galaxy {i}".encode() for i in range(n)])
    file["elsewhere"] = h5py.ExternalLink("/etc/hostname", "/images")

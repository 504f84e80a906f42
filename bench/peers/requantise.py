#!/usr/bin/env python3
"""Writes a GGUF file again with its matrices in another type, for generation.py.

    python bench/peers/requantise.py FROM.gguf TO.gguf Q8_0

The metadata and vectors stay as they are. Needs gguf, numpy.
"""

import sys

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize, quantize


def main():
    source, target, kind = sys.argv[1:4]
    kind = GGMLQuantizationType[kind]
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        if field.types[0] == GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        numbers = dequantize(tensor.data, tensor.tensor_type)
        numbers = numpy.ascontiguousarray(numbers, dtype=numpy.float32)
        if numbers.ndim == 1:
            writer.add_tensor(tensor.name, numbers, raw_dtype=GGMLQuantizationType.F32)
        else:
            writer.add_tensor(tensor.name, quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()

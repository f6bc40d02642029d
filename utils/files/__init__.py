"""Reading and writing safely: atomic writes, tensors, tables of numbers, digests."""

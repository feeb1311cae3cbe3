// The CPU's test of this family on the GPU's kernels: see emulated_sets.h.
#include "../embedding_test.cpp"

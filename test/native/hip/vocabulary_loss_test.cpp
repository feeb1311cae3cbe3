// The CPU's test of this family on the GPU's kernels: see emulated_sets.h.
#include "../vocabulary_loss_test.cpp"

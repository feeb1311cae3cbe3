// What the tests see of the library in fake.cpp, and how they tell it to behave.
#pragma once

#include <cstddef>
#include <cstdint>

struct FakeVendor {
  // What happened.
  int handles, descriptors;  // alive
  int choices, ltProducts, blasProducts, biased;
  const char* misuse;        // the first; null without
  // What shall happen.
  bool declines;             // no algorithm
  bool fails;                // an algorithm that is refused when it is used
  size_t workspace;          // that algorithms ask for
};
extern "C" FakeVendor* fakeVendor();

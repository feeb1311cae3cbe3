#include "core/backend.h"

#include "core/error.h"

namespace aurora {

void Backend::unsupported(const char* operation) const {
  throw Error(code::kNotSupported, operation, "an operation that device '" + info().name + "' has", operation,
              "run it on 'cpu', which has every operation");
}

}  // namespace aurora

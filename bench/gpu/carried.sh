#!/usr/bin/env bash
# On a GPU machine without Node or network, in a checkout with what bench/gpu/carry.mjs packed: builds the add-on and the module of the
# compiler that is here (nvcc or hipcc) with CMake, runs the tests of the operations on the GPU, then the benchmark with these arguments.
#   bench/gpu/carried.sh --out results [--only WORDS] [--no-peers]        AURORA_TESTS=no leaves the tests out
set -eu -o pipefail
cd "$(dirname "$0")/../.."
if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then kind=cuda
elif command -v hipcc >/dev/null || [ -x /opt/rocm/bin/hipcc ]; then kind=hip
else echo 'neither nvcc nor hipcc is here' >&2; exit 1
fi

gunzip -c carry/node.gz >carry/node
chmod +x carry/node
[ -e node_modules/node-gyp-build ] || { mkdir -p node_modules; cp -r carry/node-gyp-build node_modules/; }
# The CPU's kernels serve the tests as a reference: two kernel sets are enough.
cmake -S . -B build/carried -DCMAKE_BUILD_TYPE=Release -DCMAKE_JS_VERSION=8 "-DCMAKE_JS_INC=$PWD/carry/include" \
  "-DAURORA_ISAS=avx2;generic" "-DAURORA_MODULES=$kind"
cmake --build build/carried --target aurora aurora_modules --parallel "$(nproc)"

export PATH="$PWD/carry:$PATH"
failed=0
if [ "${AURORA_TESTS:-yes}" = yes ]; then
  for test in carry/*.test.mjs; do
    echo "── $test"
    AURORA_TEST_DEVICE=$kind:0 carry/node "$test" || failed=1
  done
fi
carry/node carry/bench-gpu.mjs --device "$kind:0" "$@"
exit "$failed"

# Modules: shared libraries beside the add-on, which opens them when something of theirs is asked for (native/core/modules.h).
#   cmake -B build/modules -DAURORA_MODULES="emulator;hip;cuda;gloo" && cmake --build build/modules --target aurora_modules
# `npm run build:emulator`, `build:hip`, `build:cuda` and `build:gloo` call this through scripts/build-module.mjs; Gloo's is also built with the
# add-on where its headers are found. The emulator's is built like all else; the others
# by their vendor's compiler, in commands of their own, because as compilers of a whole CMake project neither fits beside g++.
set(AURORA_MODULES "" CACHE STRING "Modules to build: emulator, hip, cuda, gloo")
set(AURORA_HIP_ARCHITECTURES gfx90a CACHE STRING "AMD architectures to compile for")
option(AURORA_KERNEL_REPORT "Keep what hipcc says of kernels beside the objects, for npm run report:hip" OFF)
set(AURORA_CUDA_ARCHITECTURES 80 90 CACHE STRING "NVIDIA architectures to compile for; newer ones compile the last one's code when they load it")

# --- sources ----------------------------------------------------------------------------------------------------------
set(hip ${native}/hip)
set(gpu_sources
  ${native}/core/backend.cpp
  ${hip}/module.cpp
)
set(gpu_kernels
  ${hip}/backend.hip.cpp
  ${hip}/stream.hip.cpp
  ${hip}/attention/attention.hip.cpp
  ${hip}/attention/attention_backward.hip.cpp
  ${hip}/attention/decode.hip.cpp
  ${hip}/comm/communicator.cpp
  ${hip}/comm/nccl_library.cpp
  ${hip}/elementwise/convert.hip.cpp
  ${hip}/elementwise/elementwise.hip.cpp
  ${hip}/embedding/embedding.hip.cpp
  ${hip}/gemm/gemm.hip.cpp
  ${hip}/gemm/linear.hip.cpp
  ${hip}/gemm/thin.hip.cpp
  ${hip}/gemm/tile_bf16.hip.cpp
  ${hip}/gemm/tile_f32.hip.cpp
  ${hip}/loss/linear_cross_entropy.hip.cpp
  ${hip}/loss/vocabulary_cross_entropy.hip.cpp
  ${hip}/norm/layer_norm.hip.cpp
  ${hip}/optim/adamw.hip.cpp
  ${hip}/optim/l2_norm.hip.cpp
  ${hip}/portable/library.cpp
  ${hip}/probe/probe.hip.cpp
  ${hip}/random/random.hip.cpp
  ${hip}/sampling/sample.hip.cpp
)
set(gpu_choice
  ${hip}/portable/vendor.hip.cpp
  ${hip}/portable/vendor_blas.hip.cpp
  ${hip}/portable/vendor_library.cpp
  ${hip}/portable/vendor_lt.hip.cpp
)
set(gpu_vendor ${hip}/portable/runtime_gpu.hip.cpp ${gpu_choice})
set(gpu_emulator
  ${hip}/portable/emulator.cpp
  ${hip}/portable/emulator_memory.cpp
  ${hip}/portable/emulator_races.cpp
  ${hip}/portable/emulator_touches.cpp
  ${hip}/portable/runtime_emulator.cpp
  ${hip}/portable/vendor_emulator.cpp
)

set(module_folder ${CMAKE_CURRENT_SOURCE_DIR}/build/Release)
add_custom_target(aurora_modules)

# --- communication between processes by Gloo --------------------------------------------------------------------------
find_path(AURORA_GLOO_INCLUDE gloo/transport/tcp/pair.h)
find_library(AURORA_GLOO_LIBRARY gloo)
if(AURORA_GLOO_INCLUDE AND AURORA_GLOO_LIBRARY AND (CMAKE_JS_VERSION OR AURORA_TESTS OR "gloo" IN_LIST AURORA_MODULES))
  # Without core/ and module.cpp, which the tests have or do not need.
  add_library(aurora_gloo_objects OBJECT
    ${native}/comm/gloo/channel.cpp
    ${native}/comm/gloo/communicator.cpp
    ${native}/comm/gloo/network.cpp
    ${native}/comm/gloo/operations.cpp
    ${native}/comm/gloo/reduce.cpp
    ${native}/comm/gloo/sender.cpp
    ${native}/comm/gloo/shared_channel.cpp
    ${native}/comm/gloo/shared_memory.cpp
    ${native}/comm/gloo/socket_channel.cpp
  )
  set_source_files_properties(${native}/comm/gloo/reduce.cpp PROPERTIES COMPILE_OPTIONS -O3)
  target_include_directories(aurora_gloo_objects SYSTEM PUBLIC ${AURORA_GLOO_INCLUDE})
  target_link_libraries(aurora_gloo_objects PUBLIC aurora_options ${AURORA_GLOO_LIBRARY})
  if(CMAKE_JS_VERSION OR "gloo" IN_LIST AURORA_MODULES)
    add_library(aurora_gloo MODULE ${native}/comm/gloo/module.cpp)
    target_link_libraries(aurora_gloo PRIVATE aurora_gloo_objects)
    target_link_options(aurora_gloo PRIVATE -Wl,-z,nodelete)
    set_target_properties(aurora_gloo PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${module_folder})
    add_dependencies(aurora_modules aurora_gloo)
  endif()
elseif("gloo" IN_LIST AURORA_MODULES)
  message(FATAL_ERROR "Gloo's headers or its library were not found (Debian, Ubuntu: apt install libgloo-dev)")
endif()

# --- the emulator, for both widths of waves ---------------------------------------------------------------------------
if(AURORA_TESTS OR "emulator" IN_LIST AURORA_MODULES)
  # The tests' kernels show their accesses to shared memory (emulator_races.cpp); the sanitizer itself is not linked.
  set(watch_races "")
  if(AURORA_TESTS AND NOT AURORA_SANITIZE)
    set(watch_races -fsanitize=thread -Wno-tsan)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      list(APPEND watch_races --param=tsan-instrument-func-entry-exit=0)
    endif()
    set_source_files_properties(${gpu_kernels} PROPERTIES COMPILE_OPTIONS "${watch_races}")
  endif()
  foreach(wave 64 32)
    # Without core/ and module.cpp, which the tests have or do not need.
    add_library(aurora_emulated_${wave} OBJECT ${gpu_kernels} ${gpu_emulator})
    target_link_libraries(aurora_emulated_${wave} PUBLIC aurora_options)
    target_compile_definitions(aurora_emulated_${wave} PUBLIC AURORA_EMULATOR AURORA_WAVE=${wave})
    target_compile_options(aurora_emulated_${wave} PRIVATE -O2)
  endforeach()
endif()
if("emulator" IN_LIST AURORA_MODULES)
  foreach(wave 64 32)
    add_library(aurora_emulator_${wave} MODULE ${gpu_sources} ${native}/cpu/limits.cpp)
    target_link_libraries(aurora_emulator_${wave} PRIVATE aurora_emulated_${wave} ${CMAKE_DL_LIBS})
    set_target_properties(aurora_emulator_${wave} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${module_folder})
    add_dependencies(aurora_modules aurora_emulator_${wave})
  endforeach()
  set_target_properties(aurora_emulator_64 PROPERTIES OUTPUT_NAME aurora_emulator)
  set_target_properties(aurora_emulator_32 PROPERTIES OUTPUT_NAME aurora_emulator32)
endif()

# --- the vendors' compilers -------------------------------------------------------------------------------------------
# One command for each source, with the dependencies that the compiler finds, and one that links.
function(aurora_vendor_module kind compile link)
  foreach(source ${gpu_sources} ${gpu_kernels} ${gpu_vendor})
    file(RELATIVE_PATH name ${native} ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${kind}/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    set(keep "")
    if(AURORA_KERNEL_REPORT AND kind STREQUAL "hip")
      set(keep sh -c [[kept=$1 && shift && ("$@" 2>"$kept" || (cat "$kept" >&2 && exit 1)) && (grep -A 3 warning: "$kept" >&2 || true)]] sh ${object}.remarks)
      set(remarks -Rpass-analysis=kernel-resource-usage -save-temps=obj)
    endif()
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${keep} ${compile} ${remarks} -std=c++20 -O3 -I${native} -DAURORA_VERSION="${version}" -MD -MF ${object}.d -c ${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "${kind}: ${name}"
      COMMAND_EXPAND_LISTS
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(module ${module_folder}/aurora_${kind}.so)
  file(MAKE_DIRECTORY ${module_folder})
  add_custom_command(OUTPUT ${module} COMMAND ${link} ${objects} -o ${module} DEPENDS ${objects} COMMENT "${kind}: aurora_${kind}.so" COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(aurora_${kind} DEPENDS ${module})
  add_dependencies(aurora_modules aurora_${kind})
endfunction()

set(host_options -fPIC -fvisibility=hidden -fvisibility-inlines-hidden -Wall -Wextra -Wno-missing-field-initializers -Wno-unused-parameter -Wno-unknown-pragmas)
if("hip" IN_LIST AURORA_MODULES)
  find_program(AURORA_HIPCC hipcc PATHS /opt/rocm/bin REQUIRED)
  list(TRANSFORM AURORA_HIP_ARCHITECTURES PREPEND --offload-arch= OUTPUT_VARIABLE architectures)
  # Where CUDA is installed, too, hipcc would take its compiler.
  set(hipcc ${CMAKE_COMMAND} -E env HIP_PLATFORM=amd ${AURORA_HIPCC} ${architectures})
  aurora_vendor_module(hip "${hipcc};-x;hip;${host_options};-fno-math-errno" "${hipcc};-shared;-Wl,-rpath,$ORIGIN;-Wl,-z,nodelete")
endif()
if("cuda" IN_LIST AURORA_MODULES)
  find_program(AURORA_NVCC nvcc PATHS /usr/local/cuda/bin REQUIRED)
  foreach(architecture ${AURORA_CUDA_ARCHITECTURES})
    list(APPEND gencode -gencode arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  list(GET AURORA_CUDA_ARCHITECTURES -1 newest)
  list(APPEND gencode -gencode arch=compute_${newest},code=compute_${newest})
  list(JOIN host_options "," host)
  aurora_vendor_module(cuda "${AURORA_NVCC};-x;cu;${gencode};--expt-relaxed-constexpr;-Xcompiler;${host}"
    "${AURORA_NVCC};-shared;--cudart;static;-Xlinker;-rpath,$ORIGIN;-Xlinker;-znodelete")
endif()

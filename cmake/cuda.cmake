# d16::cuda, by nvcc. Sets D16_HAS_CUDA, and d16_gpu_libraries for own programs: both devices, or one that says why not.
set(D16_HAS_CUDA OFF)
if(D16_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(D16_HAS_CUDA ON)
  else()
    message(NOTICE "d16::cuda is left out: it needs nvcc, from the CUDA toolkit")
  endif()
endif()

if(D16_HAS_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90a-real)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  add_library(d16_cuda STATIC src/gpu/use_cuda.cpp src/gpu/runtime.cu src/gpu/pointwise.cu src/gpu/dense.cu
                              src/gpu/group.cu src/gpu/layers.cu src/gpu/layers_sums.cu src/gpu/vision.cu)
  add_library(d16::cuda ALIAS d16_cuda)
  set_target_properties(d16_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON LINKER_LANGUAGE CXX)
  target_compile_options(d16_cuda PRIVATE  # CMake 3.25 does not know yet that nvcc has C++20
    $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>
    $<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=1675>  # "#pragma GCC unroll", in tables that the host computes
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra$<$<BOOL:${D16_WERROR}>:$<COMMA>-Werror>>
    $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${D16_WERROR}>>:-Werror=all-warnings>)
  target_link_libraries(d16_cuda PUBLIC d16_compiled CUDA::cudart_static)
  if(NOT PROJECT_IS_TOP_LEVEL)
    set_target_properties(d16_cuda PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  set(d16_gpu_libraries d16::cuda d16::cuda_emulated)
else()
  set(d16_gpu_libraries d16_no_cuda d16::cuda_emulated)
endif()

# Flags are set for the whole directory tree, not per target: one precompiled header serves all targets only
# when every target is compiled with the same flags and definitions.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(THREADS_PREFER_PTHREAD_FLAG ON)

set(CMAKE_CXX_FLAGS_DEV "-O0 -gline-tables-only")
set(CMAKE_CXX_FLAGS_CHECK "-O1 -gline-tables-only -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_COVERAGE "-O0 -gline-tables-only -fprofile-instr-generate -fcoverage-mapping")
set(CMAKE_EXE_LINKER_FLAGS_COVERAGE "-fprofile-instr-generate")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG -ffunction-sections -fdata-sections -fstack-protector-strong")
set(CMAKE_EXE_LINKER_FLAGS_RELEASE "-Wl,--gc-sections -Wl,-O1 -Wl,-z,relro -Wl,-z,now")
foreach(config IN ITEMS DEV CHECK COVERAGE)
  set(CMAKE_C_FLAGS_${config} "${CMAKE_CXX_FLAGS_${config}}")
endforeach()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough -Wformat=2 -Wextra-semi
  -fcolor-diagnostics
  # Errors remember their source place; that shall not be a path of the machine that built the program.
  "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/="
  # A precompiled header with a time stamp inside would never be found again by ccache.
  "SHELL:-Xclang -fno-pch-timestamp")
if(PLANEXE_WERROR)
  add_compile_options(-Werror)
endif()

# Range checks of the standard library stay on in release: they cost little and stop memory errors early.
add_compile_definitions(_GLIBCXX_ASSERTIONS)
add_link_options(-fuse-ld=lld)

if(PLANEXE_SANITIZE)
  add_compile_options(-fsanitize=${PLANEXE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PLANEXE_SANITIZE})
endif()
if(PLANEXE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

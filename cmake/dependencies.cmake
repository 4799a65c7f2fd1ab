# Everything is a Debian package (cmake/packages.txt); nothing is downloaded or vendored.
set(Boost_USE_STATIC_LIBS ON)
set(boost_components system filesystem url)
if(NOT PLANEXE_FUZZ)
  list(APPEND boost_components json)
endif()
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS ${boost_components})
find_package(Threads REQUIRED)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED COMPONENTS core)
find_path(VALIJSON_INCLUDE_DIR valijson/validator.hpp REQUIRED)
find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)

# These two Debian packages bring no CMake configuration.
function(planexe_import_library target header library)
  string(MAKE_C_IDENTIFIER "${target}" id)
  find_path(PLANEXE_${id}_INCLUDE "${header}" REQUIRED)
  find_library(PLANEXE_${id}_LIBRARY "${library}" REQUIRED)
  mark_as_advanced(PLANEXE_${id}_INCLUDE PLANEXE_${id}_LIBRARY)
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${PLANEXE_${id}_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PLANEXE_${id}_INCLUDE}")
endfunction()
planexe_import_library(cmark::gfm cmark-gfm.h cmark-gfm)
planexe_import_library(cmark::extensions cmark-gfm-core-extensions.h cmark-gfm-extensions)
planexe_import_library(re2::re2 re2/re2.h re2)

# Awaitable frame recycling crashes with several threads under some compilers and gains nothing measurable.
# Separate compilation puts the bodies of Asio and Beast in one translation unit (src/base/asio_impl.cpp).
add_compile_definitions(
  BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING
  BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_SEPARATE_COMPILATION
  BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ALL_NO_LIB
  VALIJSON_USE_EXCEPTIONS=1)

# libFuzzer only sees instrumented code, so the fuzz build compiles Boost.JSON itself.
if(PLANEXE_FUZZ)
  file(WRITE "${PROJECT_BINARY_DIR}/generated/boost_json.cpp" "#include <boost/json/src.hpp>\n")
  add_library(planexe_boost_json STATIC "${PROJECT_BINARY_DIR}/generated/boost_json.cpp")
  target_compile_options(planexe_boost_json PRIVATE -w)
  target_link_libraries(planexe_boost_json PUBLIC Boost::headers Boost::system)
  add_library(planexe::json ALIAS planexe_boost_json)
else()
  add_library(planexe_boost_json INTERFACE)
  target_link_libraries(planexe_boost_json INTERFACE Boost::json)
  add_library(planexe::json ALIAS planexe_boost_json)
endif()

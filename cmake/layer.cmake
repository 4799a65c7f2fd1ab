# planexe_layer(NAME [FOLDER dir] [DEPENDS layer...] [LIBRARIES target...] [EXCLUDE file...])
#
# One static library planexe_NAME from all *.cpp files below the current folder. New files need no edit here.
# A folder without sources is skipped, and so is a dependency on it.
function(planexe_layer name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources "${CMAKE_CURRENT_SOURCE_DIR}/${excluded}")
  endforeach()
  if(NOT sources)
    return()
  endif()
  set(target planexe_${name})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  foreach(layer IN LISTS arg_DEPENDS)
    if(TARGET planexe_${layer})
      target_link_libraries(${target} PUBLIC planexe_${layer})
    endif()
  endforeach()
  target_link_libraries(${target} PUBLIC ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY PLANEXE_LAYERS ${name})
  planexe_use_pch(${target})
endfunction()

# The common precompiled header: what nearly every file needs and nobody edits. Asio is not in it, since most
# files do not use it and it would double the size.
function(planexe_use_pch target)
  if(NOT TARGET planexe_pch)
    file(WRITE "${PROJECT_BINARY_DIR}/generated/pch.cpp" "\n")
    add_library(planexe_pch STATIC "${PROJECT_BINARY_DIR}/generated/pch.cpp")
    target_link_libraries(planexe_pch PRIVATE planexe::json fmt::fmt)
    target_precompile_headers(planexe_pch PRIVATE
      <algorithm> <chrono> <cstdint> <expected> <filesystem> <functional> <map> <memory> <optional>
      <set> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>
      <boost/json.hpp> <fmt/format.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM planexe_pch)
endfunction()

# planexe_program(NAME main.cpp layer...): a thin main over the layers that exist.
function(planexe_program name main)
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${main}")
    return()
  endif()
  add_executable(${name} "${main}")
  foreach(layer IN LISTS ARGN)
    if(TARGET planexe_${layer})
      target_link_libraries(${name} PRIVATE planexe_${layer})
    endif()
  endforeach()
  planexe_use_pch(${name})
endfunction()

# Compile through ccache when it is installed. The sloppiness values are what ccache's manual asks for with
# precompiled headers; base_dir and no hash_dir let several build folders of one checkout share results.
find_program(PLANEXE_CCACHE ccache)
mark_as_advanced(PLANEXE_CCACHE)
if(PLANEXE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      env
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
      CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      "${PLANEXE_CCACHE}")
endif()

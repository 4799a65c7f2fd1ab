# planexe_embed(TARGET NAME DIR): packs all files below DIR into the programs that link TARGET.
# They are read with planexe::embedded::files("NAME") (src/base/embedded.hpp), sorted by path.
#
# The bytes come in by .incbin, which is fast for any size. The generated file registers itself when the program
# starts, so it must be linked as an object: from an archive the linker would leave it out.
function(planexe_embed target name dir)
  file(GLOB_RECURSE paths RELATIVE "${dir}" CONFIGURE_DEPENDS "${dir}/*")
  list(SORT paths COMPARE STRING)
  set(declarations "")
  set(rows "")
  set(files "")
  set(index 0)
  foreach(path IN LISTS paths)
    set(symbol "planexe_embedded_${name}_${index}")
    string(APPEND declarations
      "asm(\".section .rodata\\n.balign 16\\n${symbol}:\\n.incbin \\\"${dir}/${path}\\\"\\n"
      "${symbol}_end:\\n.byte 0\\n.previous\\n\");\n"
      "extern \"C\" const char ${symbol}[];\nextern \"C\" const char ${symbol}_end[];\n")
    string(APPEND rows
      "    {\"${path}\", {${symbol}, static_cast<std::size_t>(${symbol}_end - ${symbol})}},\n")
    list(APPEND files "${dir}/${path}")
    math(EXPR index "${index} + 1")
  endforeach()
  set(PLANEXE_EMBED_NAME "${name}")
  set(PLANEXE_EMBED_DECLARATIONS "${declarations}")
  set(PLANEXE_EMBED_ROWS "${rows}")
  set(generated "${PROJECT_BINARY_DIR}/generated/embedded_${name}.cpp")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/embedded.cpp.in" "${generated}" @ONLY)

  add_library(planexe_embedded_${name} OBJECT "${generated}")
  target_include_directories(planexe_embedded_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(planexe_embedded_${name} PRIVATE -Wno-pedantic)
  # The compiler's dependency file does not list .incbin.
  set_source_files_properties("${generated}" PROPERTIES OBJECT_DEPENDS "${files}")
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    target_link_libraries(${target} PRIVATE $<TARGET_OBJECTS:planexe_embedded_${name}>)
  else()
    target_link_libraries(${target} INTERFACE $<TARGET_OBJECTS:planexe_embedded_${name}>)
  endif()
  add_dependencies(${target} planexe_embedded_${name})
endfunction()

# The two kinds of targets there are, and the flags all of them share.

add_library(muster_flags INTERFACE)
target_compile_options(muster_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Optimised, g++ 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651).
  target_compile_options(muster_flags INTERFACE -Wno-restrict)
  if(MUSTER_SANITIZE)
    # Another inside <regex>, with sanitizers only (GCC bug 105562).
    target_compile_options(muster_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
target_include_directories(muster_flags INTERFACE ${CMAKE_SOURCE_DIR})
if(MUSTER_WERROR)
  target_compile_options(muster_flags INTERFACE -Werror)
endif()
if(MUSTER_SANITIZE)
  target_compile_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(muster_flags INTERFACE -fsanitize=${MUSTER_SANITIZE})
  # Tests that would take minutes look at fewer cases.
  target_compile_definitions(muster_flags INTERFACE MUSTER_SANITIZED)
  if(MUSTER_SANITIZE STREQUAL thread)
    target_compile_definitions(muster_flags INTERFACE MUSTER_SANITIZED_THREADS)
  endif()
endif()
if(MUSTER_FUZZ)
  # Coverage counters in every library; only the fuzzers themselves link libFuzzer's main.
  target_compile_options(muster_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(muster_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# muster_library(FOLDER SOURCES file... LINKS library...): the static library of one folder.
function(muster_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_library(${folder} STATIC ${ARG_SOURCES})
  target_link_libraries(${folder} PUBLIC muster_flags ${ARG_LINKS})
endfunction()

# muster_program(NAME SOURCES file... LINKS library...): one executable of cli/, installed.
function(muster_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE muster_flags ${ARG_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

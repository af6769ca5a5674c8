# sluice_folder(path PARTS folders inside it... USES firmware folders... DRIVERS driver folders... THIRD third-party targets...)
# One static library per source folder, named after its path: firmware/sense -> firmware_sense.
# A folder without .cpp files is an interface library.
function(sluice_folder path)
  cmake_parse_arguments(FOLDER "" "" "PARTS;USES;DRIVERS;THIRD" ${ARGN})
  string(REPLACE "/" "_" name ${path})
  set(patterns ${CMAKE_SOURCE_DIR}/${path}/*.cpp)
  foreach(part ${FOLDER_PARTS})
    list(APPEND patterns ${CMAKE_SOURCE_DIR}/${path}/${part}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    set(own PRIVATE)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
    set(own INTERFACE)
  endif()
  if(path IN_LIST SLUICE_REQUEST_PATH AND SLUICE_LINK_TIME)
    target_compile_options(${name} ${own} ${SLUICE_LINK_TIME})
  endif()
  target_include_directories(${name} ${scope} ${CMAKE_SOURCE_DIR})
  list(TRANSFORM FOLDER_USES PREPEND firmware_)
  list(TRANSFORM FOLDER_DRIVERS PREPEND drivers_)
  list(TRANSFORM FOLDER_DRIVERS REPLACE "/" "_")
  target_link_libraries(${name} ${scope} ${FOLDER_USES} ${FOLDER_DRIVERS} ${own} ${FOLDER_THIRD})
  set_property(GLOBAL APPEND PROPERTY SLUICE_FOLDERS ${name})
endfunction()

# sluice_embed(target folder namespace function): the files of a folder as bytes in the program,
# behind the declaration that the target's own header makes (firmware/base/embedded.h).
function(sluice_embed target folder namespace function)
  set(out ${CMAKE_BINARY_DIR}/embedded/${function}.cpp)
  file(GLOB files LIST_DIRECTORIES false CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*)
  list(FILTER files EXCLUDE REGEX "README.md$")
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DFOLDER=${CMAKE_SOURCE_DIR}/${folder}
            -DNAMESPACE=${namespace} -DFUNCTION=${function} -P ${CMAKE_SOURCE_DIR}/toolchain/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/toolchain/embed.cmake
    VERBATIM)
  add_library(${target} STATIC ${out})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC firmware_base)
  set_property(GLOBAL APPEND PROPERTY SLUICE_FOLDERS ${target})
endfunction()

# sluice_program(name sources...): an executable linked with every folder. The linker is let loose
# on all of them at once: a port's pure functions are defined in a driver.
function(sluice_program name)
  add_executable(${name} ${ARGN})
  get_property(folders GLOBAL PROPERTY SLUICE_FOLDERS)
  set(archives)
  foreach(folder ${folders})
    get_target_property(type ${folder} TYPE)
    if(type STREQUAL "STATIC_LIBRARY")
      list(APPEND archives ${folder})
    endif()
  endforeach()
  target_link_libraries(${name} PRIVATE -Wl,--start-group ${archives} -Wl,--end-group)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
endfunction()

# Compiler flags for every target. Release is hardened; warnings are errors everywhere.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

add_compile_options(-Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast
                    -Wcast-qual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees uninitialized members in moves of std::variant that are not there (GCC bug 105562).
  add_compile_options(-Wno-maybe-uninitialized)
endif()
add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
add_link_options(-pie -Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

# Release: the folders that a request runs through are optimised once more as one, in the link of
# the daemon. Their objects hold machine code too, so that a test links as fast as ever.
set(SLUICE_REQUEST_PATH firmware/base firmware/ports firmware/valve firmware/upstream firmware/sense
                        firmware/meter firmware/proxy drivers/uv drivers/http1 drivers/json drivers/os)
set(SLUICE_LINK_TIME "")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(SLUICE_LINK_TIME -fPIE -flto=auto -ffat-lto-objects)
  get_directory_property(SLUICE_LINK_OPTIONS LINK_OPTIONS)
  add_link_options(-fno-lto)  # which no later -flto takes back
endif()

find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SLUICE_CCACHE})
endif()

option(SLUICE_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

option(SLUICE_FUZZ "libFuzzer targets (clang)" OFF)
if(SLUICE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()

# Read by llama.cpp's project(ggml): its arithmetic is optimized in full, the rest compiles in half
# the time with -O1.
set(CMAKE_C_FLAGS_RELEASE "-O3 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")

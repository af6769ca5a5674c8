// NVIDIA's management library, loaded when it is there.
#pragma once

#include <memory>
#include <string>

#include "drivers/accelerators/nvml/nvml_calls.h"
#include "firmware/base/result.h"

namespace sluice::drivers {

class NvmlLibrary {
 public:
  // `path`: a file, or a name that the system's loader looks for. Errors: gone (not there, or not
  // loadable), unsupported (the text names the symbol that it lacks).
  static Result<std::unique_ptr<NvmlLibrary>> load(const std::string& path);
  ~NvmlLibrary();
  NvmlLibrary(const NvmlLibrary&) = delete;
  NvmlLibrary& operator=(const NvmlLibrary&) = delete;

  const NvmlCalls& calls() const { return calls_; }

 private:
  explicit NvmlLibrary(void* handle) : handle_(handle) {}
  const char* find_calls();  // the symbol that must be there and is not, or null

  void* handle_;  // of dlopen
  NvmlCalls calls_;
};

}  // namespace sluice::drivers

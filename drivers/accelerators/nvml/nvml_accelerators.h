// The NVIDIA devices of this machine, by NVML.
//
// A driver can go away and come back while the program runs (an update, a reset): then the library
// is shut down, let go and loaded anew with a later look. While single devices are lost the others
// are told as before, and the library is begun anew at every 1st, 2nd, 4th ... look only.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "drivers/accelerators/nvml/nvml_library.h"
#include "firmware/ports/accelerators.h"

namespace sluice::drivers {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";
inline constexpr int kNvmlRestartGapMax = 64;  // looks

class NvmlAccelerators final : public ports::Accelerators {
 public:
  explicit NvmlAccelerators(std::string library_path = kNvmlLibrary);
  ~NvmlAccelerators() override;
  NvmlAccelerators(const NvmlAccelerators&) = delete;
  NvmlAccelerators& operator=(const NvmlAccelerators&) = delete;

  const char* name() const override { return "nvml"; }
  ports::AcceleratorLook look() override;

 private:
  struct Identity {
    std::string id;
    std::string name;
  };

  ports::AcceleratorLook open();
  void close();
  ports::AcceleratorLook give_up(const char* call, int code);
  int read(unsigned index, ports::AcceleratorReading& reading);
  int identify(unsigned index, NvmlDevice* device, ports::AcceleratorReading& reading);
  void begin_anew_if_due(bool some_are_lost);

  const std::string path_;
  std::unique_ptr<NvmlLibrary> library_;  // null: not initialised
  std::map<unsigned, Identity> known_;    // by index, for devices that no longer tell it
  int restart_gap_ = 1;                   // looks
  int looks_with_loss_ = 0;               // since the library was begun
};

}  // namespace sluice::drivers

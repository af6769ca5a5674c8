#include "firmware/tunnel/names.h"

namespace sluice::tunnel {

const char* to_text(Transport transport) {
  switch (transport) {
    case Transport::udp4:
      return "udp4";
    case Transport::udp6:
      return "udp6";
    case Transport::tcp443:
      return "tcp443";
  }
  return "?";
}

const char* to_text(TrafficClass traffic) {
  return traffic == TrafficClass::bulk ? "bulk" : "interactive";
}

}  // namespace sluice::tunnel

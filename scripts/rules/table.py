"""Who may include whom. CMakeLists.txt links the same edges; rule `edges` compares them."""

BASE_PORTS = {"base", "ports"}
FOLDERS = {
    "base": set(),
    "ports": {"base"},
    "valve": {"base"},
    "govern": {"base"},
    "upstream": BASE_PORTS,
    "tunnel": BASE_PORTS,
    "update": BASE_PORTS,
    "identity": BASE_PORTS,
    "sense": BASE_PORTS | {"valve"},
    "meter": BASE_PORTS | {"valve"},
    "capacity": BASE_PORTS | {"valve"},
    "rehearse": BASE_PORTS | {"valve", "sense"},
    "jobs": BASE_PORTS | {"govern"},
    "settings": BASE_PORTS,
    "proxy": BASE_PORTS | {"valve", "govern", "upstream", "sense", "meter"},
    "web": BASE_PORTS | {"settings"},
    "box": None,  # everything, and drivers; main.cpp too
}

# Of these folders only headers whose names end so.
VIEW = ("_view.h",)
COMMAND = ("_view.h", "_command.h", "_commands.h")
VIEWS = {
    "jobs": {"meter": VIEW, "capacity": VIEW},
    "proxy": {"identity": VIEW, "capacity": VIEW},
    "web": {folder: COMMAND for folder in FOLDERS if folder not in ("web", "box", "settings")},
}

DRIVERS_ON_UV = {"curl", "http1", "netlink", "uapi"}

# The library a driver is named after: <header> or <folder/...>.
LIBRARIES = {
    "uv": ("uv.h", "uv/", "linux/"),
    "http1": ("boost/",),
    "curl": ("curl/", "uv.h"),
    "json": ("simdjson.h", "nlohmann/"),
    "log": ("spdlog/",),
    "mbedtls": ("mbedtls/", "psa/"),
    "sodium": ("sodium.h", "sodium/"),
    "netlink": ("libmnl/", "linux/", "uv.h"),
    "uapi": ("linux/", "uv.h"),
    "sqlite": ("sqlite3.h",),
    "yaml": ("yaml-cpp/",),
    "os": ("linux/",),
    "rauc": ("systemd/",),
    "panel": ("linux/",),
    "qr": ("qrencode.h",),
}

# The system's own interface: any driver, never the firmware.
SYSTEM = set("""
    unistd.h fcntl.h poll.h pwd.h grp.h netdb.h dirent.h dlfcn.h signal.h termios.h glob.h ftw.h
    sched.h pthread.h syslog.h ifaddrs.h crypt.h libgen.h fnmatch.h spawn.h byteswap.h endian.h
    errno.h
""".split())
SYSTEM_FOLDERS = ("sys/", "net/", "netinet/", "arpa/")

STANDARD = set("""
    algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono
    cinttypes climits clocale cmath codecvt compare complex concepts csetjmp csignal cstdarg cstddef
    cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque exception execution filesystem
    format forward_list fstream functional future initializer_list iomanip ios iosfwd iostream
    istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric
    optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
    source_location span sstream stack stdexcept stop_token streambuf string string_view strstream
    syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set
    utility valarray variant vector version condition_variable coroutine
""".split())

# What the ports stand for: not in firmware/.
STANDARD_BANNED = set("""
    thread mutex shared_mutex condition_variable future semaphore latch barrier stop_token random
    coroutine fstream
""".split())

// A board that Verilator simulates, behind a pseudo-terminal: prints its name, which any serial program can open.
// Usage: board SECONDS [CYCLES]. It ends after so many seconds without a byte, or when its standard input closes.
// With CYCLES, it also ends after so many cycles and says whether the first LED is lit: a self-test without a host.
// Macros: DIVISOR, cycles of a bit; PRESSED, the button's level; LIT, that of an LED. A board may have neither.
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>
#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "Vbskernel_board.h"
#include "verilated.h"

namespace {

// A side of the UART that is not the board's: bits of DIVISOR cycles.
class Line {
public:
    bool sends() const { return left_ != 0; }
    void send(uint8_t byte) { bits_ = 0x200u | byte << 1; left_ = 10; time_ = DIVISOR; }
    bool level() {
        if (!left_) return true;
        const bool now = bits_ & 1;
        if (--time_ == 0) { bits_ >>= 1; time_ = DIVISOR; left_--; }
        return now;
    }
    // True when a byte is complete.
    bool receive(bool level) {
        if (!at_) {
            if (!level) { at_ = 1; wait_ = DIVISOR + DIVISOR / 2; heard_ = 0; }
            return false;
        }
        if (--wait_) return false;
        wait_ = DIVISOR;
        if (at_++ <= 8) { heard_ |= uint32_t(level) << (at_ - 2); return false; }
        at_ = 0;
        if (!level) std::fprintf(stderr, "a byte without a stop bit\n");
        return level;
    }
    uint8_t heard() const { return heard_; }

private:
    uint32_t bits_ = 0, heard_ = 0;
    int left_ = 0, time_ = 0, at_ = 0, wait_ = 0;
};

int open_terminal() {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) || unlockpt(master)) { std::perror("pseudo-terminal"); std::exit(1); }
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);  // stays open, so that the terminal outlives its users
    termios settings;
    tcgetattr(slave, &settings);
    cfmakeraw(&settings);
    tcsetattr(slave, TCSANOW, &settings);
    fcntl(master, F_SETFL, O_NONBLOCK);
    std::printf("%s\n", ptsname(master));
    std::fflush(stdout);
    return master;
}

bool has_closed(int file) {
    pollfd input{file, POLLIN, 0};
    uint8_t byte;
    return poll(&input, 1, 0) > 0 && read(file, &byte, 1) <= 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) { std::fprintf(stderr, "expected the seconds after which a silent board ends\n"); return 2; }
    const double patience = std::atof(argv[1]);
    const uint64_t most = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
    const int terminal = open_terminal();
    const auto context = std::make_unique<VerilatedContext>();
    const auto top = std::make_unique<Vbskernel_board>(context.get());
    Line line;
    auto moved = std::chrono::steady_clock::now();
    uint64_t cycle = 0;
    top->rx = 1;
#ifdef PRESSED
    top->button = !PRESSED;
#endif
    for (; !most || cycle < most; cycle++) {
        if (!line.sends() && cycle % 16 == 0) {
            uint8_t byte;
            if (read(terminal, &byte, 1) == 1) {
                line.send(byte);
                moved = std::chrono::steady_clock::now();
            }
        }
        if (cycle % 65536 == 0) {
            const std::chrono::duration<double> quiet = std::chrono::steady_clock::now() - moved;
            if (quiet.count() > patience || has_closed(0)) break;
        }
        top->rx = line.level();
        top->oscillator = 1;
        top->eval();
        context->timeInc(1);
        top->oscillator = 0;
        top->eval();
        context->timeInc(1);
        if (line.receive(top->tx)) {
            const uint8_t byte = line.heard();
            while (write(terminal, &byte, 1) != 1) usleep(100);
            moved = std::chrono::steady_clock::now();
        }
    }
#ifdef LIT
    std::printf("led0 is %s\n", top->led0 == LIT ? "lit" : "dark");
#endif
    std::printf("%llu cycles\n", static_cast<unsigned long long>(cycle));
    top->final();
    return 0;
}

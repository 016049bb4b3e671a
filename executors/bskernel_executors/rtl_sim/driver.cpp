// Drive a stitched design: read beats for in0_V from a file, write the beats of out0_V and the measurements to files.
// Usage: simulator IN OUT MEASURED beats_in beats_out frames stall_percent patience LIMITS WAVES wave_cycles most_cycles
//     pace steady
// LIMITS: the most values that each FIFO may hold, as 32-bit numbers ("-": no limits). WAVES: a VCD file ("-": none).
// pace: the cycles over which the beats of an input frame are spread (0: they come as fast as they are taken).
// steady: end after `steady` frames in a row that are equally far behind the frame before them; with a pace, that are
// all within it, or all beyond it (0: run all frames).
// MEASURED, 64-bit numbers: per frame that was run the cycles of its first input beat and of its last output beat; the FIFOs' maxima;
// per stream the cycles in which it moved, had back-pressure, and was starved.
// Exit codes: 0 success, 4 nothing moved for `patience` cycles, 5 a waveform is asked for but not compiled in,
// 6 not done after `most_cycles` (0: any number).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "Vbskernel_top.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

static std::vector<uint8_t> read_all(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file) { std::perror(path); std::exit(1); }
    std::fseek(file, 0, SEEK_END);
    std::vector<uint8_t> data(std::ftell(file));
    std::rewind(file);
    if (std::fread(data.data(), 1, data.size(), file) != data.size()) { std::perror(path); std::exit(1); }
    std::fclose(file);
    return data;
}

static void write_all(const char* path, const void* data, size_t bytes) {
    std::FILE* file = std::fopen(path, "wb");
    if (!file || std::fwrite(data, 1, bytes, file) != bytes || std::fclose(file)) { std::perror(path); std::exit(1); }
}

int main(int argc, char** argv) {
    if (argc != 15) { std::fprintf(stderr, "expected fourteen arguments\n"); return 2; }
    const uint64_t beats_in = std::strtoull(argv[4], nullptr, 10), beats_out = std::strtoull(argv[5], nullptr, 10);
    const uint64_t frames = std::strtoull(argv[6], nullptr, 10), stall = std::strtoull(argv[7], nullptr, 10);
    const uint64_t patience = std::strtoull(argv[8], nullptr, 10), wave_cycles = std::strtoull(argv[11], nullptr, 10);
    const uint64_t most_cycles = std::strtoull(argv[12], nullptr, 10), pace = std::strtoull(argv[13], nullptr, 10);
    const uint64_t steady = std::strtoull(argv[14], nullptr, 10);
    const std::vector<uint8_t> input = read_all(argv[1]);
    const uint64_t in_bytes = input.size() / (frames * beats_in), out_bytes = OUT_BYTES;
    uint64_t before = 0, equal = 0;

    const auto context = std::make_unique<VerilatedContext>();
    context->traceEverOn(VM_TRACE);
    const auto top = std::make_unique<Vbskernel_top>(context.get());
#if THROTTLE && FIFOS
    std::memset(&top->fifo_limit, 0xff, sizeof(top->fifo_limit));
    if (std::string(argv[9]) != "-") {
        const std::vector<uint8_t> limits = read_all(argv[9]);
        std::memcpy(&top->fifo_limit, limits.data(), std::min<size_t>(4 * FIFOS, limits.size()));
    }
#endif
#if VM_TRACE
    VerilatedVcdC waves;
    if (wave_cycles) { top->trace(&waves, 99); waves.open(argv[10]); }
    const auto dump = [&](uint64_t at) { if (at < wave_cycles) waves.dump(context->time()); };
#else
    if (wave_cycles) return 5;
    const auto dump = [](uint64_t) {};
#endif
    std::vector<uint8_t> output;
    std::vector<uint64_t> measured(2 * frames, 0), streams(3 * STREAMS, 0);
    uint64_t sent = 0, got = 0, cycle = 0, moved = 0;
    uint32_t random = 0x2545F491u;

    top->ap_clk = 0; top->ap_rst_n = 0; top->in0_V_TVALID = 0; top->out0_V_TREADY = 0;
    for (int i = 0; i < 32; i++) { top->ap_clk = !top->ap_clk; top->eval(); context->timeInc(1); }
    top->ap_clk = 0; top->ap_rst_n = 1;

    while (got < frames * beats_out && !(steady && equal >= steady && got % beats_out == 0)) {
        random ^= random << 13; random ^= random >> 17; random ^= random << 5;
        top->in0_V_TVALID = sent < frames * beats_in && cycle >= sent * pace / beats_in;
        if (top->in0_V_TVALID) {
            std::memset(&top->in0_V_TDATA, 0, sizeof(top->in0_V_TDATA));
            std::memcpy(&top->in0_V_TDATA, input.data() + sent * in_bytes, in_bytes);
        }
        top->out0_V_TREADY = random % 100 >= stall;
        top->eval();
        dump(cycle);
        const bool taken = top->in0_V_TVALID && top->in0_V_TREADY, given = top->out0_V_TVALID && top->out0_V_TREADY;
        if (taken) {
            if (sent % beats_in == 0) measured[2 * (sent / beats_in)] = cycle;
            sent++;
        }
        if (given) {
            const auto* bytes = reinterpret_cast<const uint8_t*>(&top->out0_V_TDATA);
            output.insert(output.end(), bytes, bytes + out_bytes);
            measured[2 * (got / beats_out) + 1] = cycle;
            got++;
            if (const uint64_t done = got / beats_out; got % beats_out == 0 && done > 1) {
                const uint64_t interval = cycle - measured[2 * done - 3], seen = pace ? interval > pace : interval;
                equal = done > 2 && seen == before ? equal + 1 : 1;
                before = seen;
            }
        }
        if (taken || given) moved = cycle;
#if STREAMS
        const auto* valid = reinterpret_cast<const uint8_t*>(&top->stream_valid);
        const auto* ready = reinterpret_cast<const uint8_t*>(&top->stream_ready);
        for (int i = 0; i < STREAMS; i++) {
            const bool v = valid[i / 8] >> (i % 8) & 1, r = ready[i / 8] >> (i % 8) & 1;
            if (v || r) streams[3 * i + (v && r ? 0 : v ? 1 : 2)]++;
            if (v && r) moved = cycle;
        }
#endif
        if (cycle - moved > patience) {
            std::fprintf(stderr, "deadlock at cycle %llu: %llu of %llu input beats, %llu of %llu output beats\n",
                (unsigned long long)moved, (unsigned long long)sent, (unsigned long long)(frames * beats_in),
                (unsigned long long)got, (unsigned long long)(frames * beats_out));
#if STREAMS
            std::fprintf(stderr, "streams (valid ready):");
            for (int i = 0; i < STREAMS; i++)
                std::fprintf(stderr, " %d%d", valid[i / 8] >> (i % 8) & 1, ready[i / 8] >> (i % 8) & 1);
            std::fprintf(stderr, "\n");
#endif
            return 4;
        }
        if (most_cycles && cycle >= most_cycles) {
            std::fprintf(stderr, "not done after %llu cycles\n", (unsigned long long)cycle);
            return 6;
        }
        context->timeInc(1);
        top->ap_clk = 1; top->eval();
        dump(cycle);
        context->timeInc(1);
        top->ap_clk = 0;
        cycle++;
    }
    measured.resize(2 * (got / beats_out));
#if FIFOS
    const auto* maxima = reinterpret_cast<const uint32_t*>(&top->fifo_maxcount);
    measured.insert(measured.end(), maxima, maxima + FIFOS);
#endif
    measured.insert(measured.end(), streams.begin(), streams.end());
    write_all(argv[2], output.data(), output.size());
    write_all(argv[3], measured.data(), 8 * measured.size());
    top->final();
#if VM_TRACE
    if (wave_cycles) waves.close();
#endif
    return 0;
}

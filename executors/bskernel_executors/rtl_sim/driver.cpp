// Drives a stitched design: beats from a file into in0_V, beats of out0_V into a file, cycles of each frame.
// Usage: simulator IN OUT CYCLES beats_in beats_out frames stall_percent patience
// CYCLES: per frame the cycle of its first accepted and its last given beat; then the FIFOs' maxima, as 64-bit numbers.
// Exit codes: 0 done, 4 nothing moved for `patience` cycles.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "Vbskernel_top.h"
#include "verilated.h"

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

int main(int argc, char** argv) {
    if (argc != 9) { std::fprintf(stderr, "eight arguments are needed\n"); return 2; }
    const uint64_t beats_in = std::strtoull(argv[4], nullptr, 10), beats_out = std::strtoull(argv[5], nullptr, 10);
    const uint64_t frames = std::strtoull(argv[6], nullptr, 10), stall = std::strtoull(argv[7], nullptr, 10);
    const uint64_t patience = std::strtoull(argv[8], nullptr, 10);
    const std::vector<uint8_t> input = read_all(argv[1]);
    const uint64_t in_bytes = input.size() / (frames * beats_in);

    const auto context = std::make_unique<VerilatedContext>();
    const auto top = std::make_unique<Vbskernel_top>(context.get());
    const uint64_t out_bytes = OUT_BYTES;
    std::vector<uint8_t> output;
    std::vector<uint64_t> first(frames, 0), last(frames, 0);
    uint64_t sent = 0, got = 0, cycle = 0, moved = 0;
    uint32_t random = 0x2545F491u;

    top->ap_clk = 0; top->ap_rst_n = 0; top->in0_V_TVALID = 0; top->out0_V_TREADY = 0;
    for (int i = 0; i < 32; i++) { top->ap_clk = !top->ap_clk; top->eval(); context->timeInc(1); }
    top->ap_clk = 0; top->ap_rst_n = 1;

    while (got < frames * beats_out) {
        random ^= random << 13; random ^= random >> 17; random ^= random << 5;
        top->in0_V_TVALID = sent < frames * beats_in;
        if (top->in0_V_TVALID) {
            std::memset(&top->in0_V_TDATA, 0, sizeof(top->in0_V_TDATA));
            std::memcpy(&top->in0_V_TDATA, input.data() + sent * in_bytes, in_bytes);
        }
        top->out0_V_TREADY = random % 100 >= stall;
        top->eval();
        const bool taken = top->in0_V_TVALID && top->in0_V_TREADY, given = top->out0_V_TVALID && top->out0_V_TREADY;
        if (taken) {
            if (sent % beats_in == 0) first[sent / beats_in] = cycle;
            sent++;
        }
        if (given) {
            const auto* bytes = reinterpret_cast<const uint8_t*>(&top->out0_V_TDATA);
            output.insert(output.end(), bytes, bytes + out_bytes);
            last[got / beats_out] = cycle;
            got++;
        }
        if (taken || given) moved = cycle;
        if (cycle - moved > patience) {
            std::fprintf(stderr, "deadlock at cycle %llu: %llu of %llu beats taken, %llu of %llu given\n",
                (unsigned long long)cycle, (unsigned long long)sent, (unsigned long long)(frames * beats_in),
                (unsigned long long)got, (unsigned long long)(frames * beats_out));
            return 4;
        }
        context->timeInc(1);
        top->ap_clk = 1; top->eval();
        context->timeInc(1);
        top->ap_clk = 0;
        cycle++;
    }
    std::FILE* file = std::fopen(argv[2], "wb");
    std::fwrite(output.data(), 1, output.size(), file);
    std::fclose(file);
    file = std::fopen(argv[3], "wb");
    for (uint64_t i = 0; i < frames; i++) { std::fwrite(&first[i], 8, 1, file); std::fwrite(&last[i], 8, 1, file); }
    const auto* counts = reinterpret_cast<const uint32_t*>(&top->fifo_maxcount);
    for (int i = 0; i < FIFOS; i++) { const uint64_t count = counts[i]; std::fwrite(&count, 8, 1, file); }
    std::fclose(file);
    top->final();
    return 0;
}

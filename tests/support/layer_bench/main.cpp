// Runs a bench of layers: bench SEED-INDEPENDENT arguments `source_stall even_sink_stall odd_sink_stall patience`.
// Exit codes: 0 all outputs are right, 3 one is wrong, 4 nothing came for `patience` cycles.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "Vlayer_bench.h"
#include "verilated.h"

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    const auto context = std::make_unique<VerilatedContext>();
    const auto top = std::make_unique<Vlayer_bench>(context.get());
    top->source_stall = std::atoi(argv[1]);
    top->even_stall = std::atoi(argv[2]);
    top->odd_stall = std::atoi(argv[3]);
    const uint64_t patience = std::strtoull(argv[4], nullptr, 10);
    uint64_t after = 0;
    for (uint64_t cycle = 0; cycle < patience; ++cycle) {
        top->ap_rst_n = cycle >= 8;
        top->ap_clk = 0;
        top->eval();
        context->timeInc(1);
        top->ap_clk = 1;
        top->eval();
        context->timeInc(1);
        if (context->gotFinish()) return 3;
        if (top->done && ++after == 100) return 0;  // what comes too late is one beat too many
    }
    return 4;
}

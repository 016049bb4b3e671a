"""The executors of bskernel and the kit they are made with."""

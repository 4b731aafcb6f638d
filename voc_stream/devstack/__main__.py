from voc_stream.devstack.cli import main

main(prog_name="python -m voc_stream.devstack")

"""llama.cpp as an OpenAI-compatible server: `python -m model_servers.llm`."""

import json
import os
import signal
import sys
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path

# Room for a receptionist's instructions and some forty turns in each slot.
CONTEXT_TOKENS_PER_SLOT = 4096
# llama.cpp would keep up to 8 GiB of old prompts in host memory; no call asks for them again.
PROMPT_CACHE_MIB = 256
WARM_UP_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class LlmSettings:
    """What the server needs to know; read once from the environment that the runtime gives it."""

    model_file: Path
    port: int
    threads: int
    slots: int

    @classmethod
    def from_env(cls) -> "LlmSettings":
        """Read LLM_MODEL_FILE, LLM_PORT, LLM_THREADS, LLM_SLOTS."""
        return cls(
            model_file=Path(os.environ["LLM_MODEL_FILE"]),
            port=int(os.environ["LLM_PORT"]),
            threads=int(os.environ.get("LLM_THREADS", "2")),
            slots=int(os.environ.get("LLM_SLOTS", "3")),
        )


def start(settings: LlmSettings) -> object:
    """Load the weights and listen; the returned server stops when it is dropped."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(settings.model_file)
    params.model_alias = {settings.model_file.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = settings.port
    params.n_parallel = settings.slots
    params.n_ctx = CONTEXT_TOKENS_PER_SLOT * settings.slots
    params.cpuparams.n_threads = settings.threads
    # Reading the caller's words is what he waits for, and gains from every core: first token after
    # 130 ms instead of 240 (SmolLM2, 30 new words, two cores).
    params.cpuparams_batch.n_threads = os.cpu_count() or 1
    # Threads sleep while they wait: other stages of a call want the core just then.
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    # Flash attention is for graphics cards: here each word takes a seventh longer with it.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.use_jinja = True
    # The web page and the slot listing show prompts of live calls.
    params.ui = False
    params.endpoint_slots = False
    return xllamacpp.Server(params)


def warm_up(port: int) -> None:
    """Run one short completion, so that the first caller does not wait for page faults."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WARM_UP_TIMEOUT_S) as response:  # noqa: S310
        response.read()


def main() -> int:
    """Serve until SIGTERM; exit 2 when the weights are missing."""
    settings = LlmSettings.from_env()
    if not settings.model_file.is_file():
        print(f"error: no language model at {settings.model_file}", file=sys.stderr)
        print("hint: `make setup` fetches it", file=sys.stderr)
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = start(settings)
    warm_up(settings.port)
    print(f"llm ready on 127.0.0.1:{settings.port}, {settings.slots} slots", flush=True)
    stopping.wait()
    # Dropping the server object waits for llama.cpp's idle threads (xllamacpp 2026.10); there is
    # nothing to save, so leave at once. The name keeps the server alive until here.
    os._exit(0 if server else 1)


if __name__ == "__main__":
    sys.exit(main())

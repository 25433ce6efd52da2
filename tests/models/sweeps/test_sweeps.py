"""Many runs at once: each trained once, wherever a worker is, and none lost when a worker dies."""

import io
import json
import multiprocessing
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
import time
from itertools import groupby
from pathlib import Path

import psutil
import pytest
import torch
from clusters import Host, cluster_on
from processes import wait_for
from safetensors.torch import load_file

from models.data.loading import DataError
from models.records import Record
from models.runs.store import Store
from models.settings import SettingError, Settings
from models.specs import RunSpec, SpecError, grid
from models.sweeps import sweep_file
from models.sweeps.cluster import ClusterError, connected, local_cluster
from models.sweeps.cores import inside_a_worker, local_share
from models.sweeps.progress_board import Board, LineBoard
from models.sweeps.sweep import ask, outcomes, sweep

SPEC = RunSpec(train_size=300, epochs=2, batch_size=50, lr=0.1)
SPECS = grid(SPEC, norm=("none", "batch"), seed=(0, 1))
LONGER = grid(SPEC.with_(epochs=8, train_size=1000), seed=(0, 1))
FIVE = ("seed", "epochs", "passes", "lr", "batch_size")
TORN = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@pytest.fixture(autouse=True)
def two_workers(own_folders, monkeypatch):
    """Folders of the test's own, and two local workers whatever the machine."""
    monkeypatch.setenv("CONVBOOK_WORKERS", "2")


@pytest.fixture
def cluster(tmp_path):
    """A scheduler without workers."""
    with cluster_on(Host(tmp_path / "scheduler")) as started:
        yield started


@pytest.fixture
def damaged_mnist(tmp_path, monkeypatch):
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in TORN:
        (raw / f"{part}-ubyte").write_bytes(b"torn")
    monkeypatch.setenv("CONVBOOK_DATA", str(tmp_path / "data"))


def alone(specs: list[RunSpec], folder: Path) -> list[Record]:
    """What the runs give when this process trains them one after the other, in another cache, on
    one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as places:
            places.setenv("CONVBOOK_CACHE", str(folder / "alone"))
            places.setenv("CONVBOOK_WORKERS", "1")
            return sweep(specs, progress=Board())
    finally:
        torch.set_num_threads(threads)


def ask_in_a_process(specs: list[RunSpec], then: str) -> subprocess.CompletedProcess:
    program = (
        "import sys; from models.sweeps.sweep import ask; from models.specs import RunSpec\n"
        f"records = ask([RunSpec.model_validate_json(text) for text in sys.argv[1:]])\n{then}"
    )
    texts = [spec.model_dump_json() for spec in specs]
    return subprocess.run(
        [sys.executable, "-c", program, *texts],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def results(records: list[Record]) -> list[tuple]:
    return [
        (record.spec, record.history, record.parameters, record.diagnostics) for record in records
    ]


def below(process: int) -> list[psutil.Process]:
    return psutil.Process(process).children(recursive=True)


def trainers(process: int) -> list[psutil.Process]:
    """The worker processes of a local cluster."""
    return [
        child for child in below(process) if any("spawn_main" in part for part in child.cmdline())
    ]


class Watched(LineBoard):
    """Acts once, when a run has finished its second epoch."""

    def __init__(self, act) -> None:
        super().__init__(io.StringIO())
        self.act = act

    def show_epoch(self, member, epoch):
        super().show_epoch(member, epoch)
        if epoch.epoch == 2 and self.act:
            act, self.act = self.act, None
            act(member)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


# Asking


def test_records_come_in_the_order_asked_for_and_each_run_is_trained_once(monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    board = LineBoard(io.StringIO())
    first, second = SPECS[0], SPECS[3]
    records = sweep([second, first, second], progress=board)
    assert [record.spec for record in records] == [second, first, second]
    assert board.stream.getvalue().count("epoch 1/2") == 2


def test_only_the_missing_runs_are_trained(monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    sweep(SPECS[:1], progress=Board())
    cached = [outcome.found.cached for outcome in outcomes(SPECS[:2], progress=Board())]
    assert cached == [True, False]


@pytest.mark.parametrize("before", [0, 2])
def test_dask_stays_away_where_it_is_not_needed(before, monkeypatch):
    """Neither to read records, nor to train in this process; torch neither, when nothing is
    missing.
    """
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    sweep(SPECS[:before], progress=Board())
    loaded = "print(*(name in sys.modules for name in ('dask', 'distributed', 'torch')))"
    asked = ask_in_a_process(SPECS[:2], then=loaded)
    assert asked.stdout.split() == ["False", "False", str(before == 0)]


def test_local_workers_share_the_cores_between_them(monkeypatch):
    def shares(runs: int) -> tuple[int, int]:
        return local_share(runs, Settings.from_environment())

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("dask.system.cpu_count", lambda: 8)
    monkeypatch.delenv("CONVBOOK_WORKERS")
    assert [shares(count) for count in (1, 3, 8, 24)] == [(1, 1), (3, 2), (8, 1), (8, 1)]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert shares(24) == (2, 1)
    monkeypatch.setenv("CONVBOOK_WORKERS", "5")
    assert shares(24) == (5, 1)


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
def test_a_bad_number_of_workers_is_refused(workers, monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", workers)
    with pytest.raises(
        SettingError,
        match=f"CONVBOOK_WORKERS: expected a whole number of at least 1, got '{workers}'",
    ):
        sweep(SPECS)


@pytest.mark.parametrize("address", ["localhost", "foo://10.0.0.1:8786", "tcp://127.0.0.1:port"])
def test_a_bad_address_is_refused_at_once(address):
    with pytest.raises(ClusterError, match="expected an address such as tcp://"):
        sweep(SPECS, cluster=address)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("", "expected Dask's settings distributed.comm.tls to name certificates for tls://127."),
        ("/no/such/file", "Dask's certificates for tls://127.0.0.1:9 cannot be read: "),
    ],
)
def test_a_scheduler_over_tls_needs_certificates(setting, message, tmp_path, monkeypatch):
    if setting:
        monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", setting)
        monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT", setting)
    file = tmp_path / "sweep.yml"
    file.write_text("base: {epochs: 1}\n")
    started = time.monotonic()
    ended = command(str(file), "--cluster", "tls://127.0.0.1:9")
    assert time.monotonic() - started < 10
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"models sweep: error: {message}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_a_gpu_that_is_not_there_is_said_once_and_before_any_run(tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text("base: {epochs: 1}\ngrid: {seed: [0, 1, 2]}\n")
    ended = command(str(file), "--device", "cuda")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "models sweep: error: device: expected cpu, for torch finds no CUDA here, got cuda\n"
    )


# Local clusters


@pytest.mark.slow
def test_a_local_cluster_opens_no_port_for_a_dashboard():
    with local_cluster(1, 1) as address, connected(address):
        listening = {
            connection.laddr.port
            for process in below(os.getpid())
            if "models.sweeps.cluster" in process.cmdline()
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
    assert int(address.rpartition(":")[2]) in listening
    assert len(listening) == 2, "the scheduler, and the keeper of its one worker"


@pytest.mark.slow
def test_a_local_cluster_gives_the_records_of_one_process_and_leaves_no_process(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    board = LineBoard(io.StringIO())
    records = sweep(SPECS, progress=board)
    assert results(records) == results(alone(SPECS, tmp_path))
    assert {record.provenance.threads for record in records} == {1}
    lines = [
        line for line in board.stream.getvalue().splitlines() if " examples " not in line
    ]  # none of a long epoch
    assert len(lines) == len(SPECS) * SPEC.epochs
    assert (
        sum(
            line.startswith("[4/4] lenet5 on mnist5k, norm batch, seed 1  epoch ") for line in lines
        )
        == 2
    )
    assert all(" left" in line for line in lines[:-1])
    assert all("train loss" in line and "test loss" in line for line in lines)
    assert lines[-1].endswith(" in all")
    wait_for(lambda: not below(os.getpid()))


@pytest.mark.slow
def test_local_workers_use_the_store_that_was_asked(tmp_path):
    store = Store(tmp_path / "another")
    sweep(SPECS[:2], store=store, progress=Board())
    assert all(store.find(spec) for spec in SPECS[:2])
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_asking_for_several_runs_trains_them_side_by_side(tmp_path):
    asked = ask_in_a_process(SPECS, then="print(len(records))")
    assert asked.stdout == "4\n"
    assert {line[:5] for line in asked.stderr.splitlines()} == {"[1/4]", "[2/4]", "[3/4]", "[4/4]"}
    assert [Store.default().find(spec).cached for spec in SPECS] == [True] * 4


@pytest.mark.slow
def test_local_workers_that_are_killed_are_replaced_and_their_runs_go_on_from_checkpoints(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def kill_all(_):
        for process in trainers(os.getpid()):
            process.kill()

    board = Watched(kill_all)
    records = sweep(LONGER, progress=board)
    assert board.act is None
    assert "its worker was lost: starts again after epoch " in board.text
    assert any(record.provenance.resumed_from_epoch for record in records)
    assert results(records) == results(alone(LONGER, tmp_path))


@pytest.mark.slow
def test_a_run_that_fails_is_named_with_its_error_and_the_others_finish(damaged_mnist):
    bad = SPEC.with_(dataset="mnist")
    with pytest.raises(DataError, match="damaged") as caught:
        sweep([SPECS[0], bad, SPECS[1]], progress=Board())
    assert f"in the run {bad.key} (1 of 3 runs failed)" in caught.value.__notes__[0]
    assert Store.default().find(SPECS[0])
    assert Store.default().find(SPECS[1])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_that_is_stopped_leaves_no_process_and_loses_no_epoch(number, tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text("base: {train_size: 1000, batch_size: 50, epochs: 8}\ngrid: {seed: [0, 1]}\n")
    command = [sys.executable, "-m", "models", "sweep", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: any((tmp_path / "cache").glob("checkpoints/*/epoch-000002*")))
    started = below(process.pid)
    process.send_signal(number)
    reported = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in reported
    if number == signal.SIGINT:
        assert "interrupted: 0 of 2 runs are kept" in reported
    assert len(started) >= 3  # the cluster and its workers
    wait_for(
        lambda: (
            not [child for child in started if child.is_running() and child.status() != "zombie"]
        )
    )

    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert any("resumed_from_epoch" in json.loads(line) for line in again.stdout.splitlines())


# Any scheduler


@pytest.mark.slow
def test_records_and_weights_come_back_from_workers_that_share_no_folder(cluster, tmp_path):
    hosts = [Host(tmp_path / "first"), Host(tmp_path / "second")]
    for host in hosts:
        cluster.worker(host)
    wanted = alone(SPECS, tmp_path)
    assert results(sweep(SPECS, cluster=cluster.address, progress=Board())) == results(wanted)
    for spec in SPECS:
        assert sum(host.has(f"runs/{spec.key}.json") for host in hosts) == 1
        ours = load_file(Store.default().runs / f"{spec.key}.safetensors")
        theirs = load_file(tmp_path / "alone" / "runs" / f"{spec.key}.safetensors")
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_a_killed_workers_run_is_trained_by_another_from_nothing(cluster, tmp_path):
    hosts = [Host(tmp_path / "first"), Host(tmp_path / "second")]
    processes = [cluster.worker(host) for host in hosts]

    def kill_its_worker(member):
        for host, process in zip(hosts, processes, strict=True):
            if host.has(f"checkpoints/{member.spec.key}/*"):
                process.kill()

    board = Watched(kill_its_worker)
    records = sweep(LONGER, cluster=cluster.address, progress=board)
    assert [process.poll() for process in processes].count(-signal.SIGKILL) == 1
    assert "its worker was lost: starts again from nothing" in board.text
    assert results(records) == results(alone(LONGER, tmp_path))


@pytest.mark.slow
def test_a_worker_with_many_threads_trains_one_run_at_a_time(cluster, tmp_path):
    cluster.worker(Host(tmp_path / "host"), threads=3)
    board = LineBoard(io.StringIO())
    records = sweep(SPECS, cluster=cluster.address, progress=board)
    order = [line[:5] for line in board.stream.getvalue().splitlines() if line.startswith("[")]
    assert len(list(groupby(order))) == len(SPECS)  # no two runs' epochs are mixed
    assert {record.provenance.threads for record in records} == {3}


@pytest.mark.slow
def test_a_worker_says_that_it_is_one(cluster, tmp_path):
    cluster.worker(Host(tmp_path / "host"))
    with connected(cluster.address) as client:
        assert not inside_a_worker()
        assert client.submit(inside_a_worker).result()


def test_a_pools_process_is_a_worker_too():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(inside_a_worker)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_sweep_with_words(cluster, tmp_path):
    cluster.worker(Host(tmp_path / "host"))
    board = Watched(lambda _: cluster.scheduler.kill())
    ended = outcomes(LONGER, cluster=cluster.address, progress=board)
    assert {str(outcome.error)[:48] for outcome in ended} == {
        "the connection to the Dask scheduler was lost; t"
    }


@pytest.mark.slow
def test_the_environment_names_a_scheduler_and_a_worker_may_come_late(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.setenv("CONVBOOK_CLUSTER", cluster.address)
    late = threading.Timer(3, cluster.worker, [Host(tmp_path / "late")])
    late.start()
    board = LineBoard(io.StringIO())
    assert [record.spec for record in sweep(SPECS[:1], progress=board)] == SPECS[:1]
    late.join()
    assert "no worker has joined the Dask scheduler yet" in board.stream.getvalue()
    assert any((tmp_path / "late" / "cache" / "runs").glob("*.json"))


@pytest.fixture
def two_hosts(tmp_path):
    """Two network namespaces, joined by one wire, each with an address of its own."""
    names = [f"convbook-{os.getpid()}-{side}" for side in "ab"]
    wires = [f"cb{os.getpid() % 100_000}{side}" for side in "ab"]

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

    try:
        for name in names:
            ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"network namespaces cannot be made here: {getattr(error, 'stderr', error)}")
    try:
        ip(
            "link",
            "add",
            wires[0],
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            wires[1],
            "netns",
            names[1],
        )
        for number, (name, wire) in enumerate(zip(names, wires, strict=True), start=1):
            ip("-n", name, "addr", "add", f"10.213.77.{number}/24", "dev", wire)
            ip("-n", name, "link", "set", wire, "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield [
            Host(tmp_path / name, f"10.213.77.{number}", ["ip", "netns", "exec", name])
            for number, name in enumerate(names, start=1)
        ]
    finally:
        for name in names:
            ip("netns", "del", name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_hosts_apart_train_for_one_another(two_hosts, tmp_path):
    here, there = two_hosts
    file = tmp_path / "sweep.yml"
    file.write_text(
        "base: {train_size: 300, epochs: 2, batch_size: 50}\n"
        "grid: {norm: [none, batch], seed: [0, 1]}\n"
    )
    with cluster_on(here) as cluster:
        cluster.worker(there)
        asker = here.start("-m", "models", "sweep", str(file), "--cluster", cluster.address)
        assert asker.wait(timeout=120) == 0, (here.folder / "log").read_text()
    assert "10.213.77.1:" in cluster.address
    for spec in sweep_file.read(file):
        name = f"cache/runs/{spec.key}.json"
        assert (here.folder / name).read_bytes() == (there.folder / name).read_bytes()


# The command


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "models", "sweep", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_command_tells_each_run_in_the_files_order(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    file = tmp_path / "sweep.yml"
    file.write_text(
        "base: {train_size: 300, epochs: 1, batch_size: 50}\ngrid: {norm: [none, batch]}\n"
    )
    ended = command(str(file))
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["run"] for line in lines] == [
        "lenet5 on mnist5k, norm none",
        "lenet5 on mnist5k, norm batch",
    ]
    assert all(
        {"key", "test_accuracy", "seconds", "cached", "record"} <= set(line) for line in lines
    )
    assert [json.loads(line)["cached"] for line in command(str(file)).stdout.splitlines()] == [
        True,
        True,
    ]


def test_the_command_names_the_runs_that_failed(tmp_path, monkeypatch, damaged_mnist):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    file = tmp_path / "sweep.yml"
    file.write_text(
        "base: {train_size: 300, epochs: 1, batch_size: 50}\ngrid: {dataset: [mnist, mnist5k]}\n"
    )
    ended = command(str(file))
    assert ended.returncode == 1
    failed, fine = (json.loads(line) for line in ended.stdout.splitlines())
    assert "damaged" in failed["error"]
    assert fine["test_accuracy"] > 0.1
    assert f"models sweep: error: run {failed['key']}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_an_unreachable_scheduler_is_an_error_in_words(tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text("base: {epochs: 1}\n")
    started = time.monotonic()
    ended = command(str(file), "--cluster", "tcp://127.0.0.1:1")
    assert time.monotonic() - started < 20
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "models sweep: error: no Dask scheduler answers at tcp://127.0.0.1:1"
    )
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_terminal_shows_a_bar_for_all_and_one_for_each_running_run(tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text("base: {train_size: 500, epochs: 3, batch_size: 50}\ngrid: {seed: [0, 1, 2]}\n")
    terminal, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (40, 150))
    process = subprocess.Popen(
        [sys.executable, "-m", "models", "sweep", str(file)],
        stderr=its_end,
        stdout=subprocess.DEVNULL,
    )
    os.close(its_end)
    shown = b""
    try:
        while part := os.read(terminal, 65536):
            shown += part
    except OSError:  # Linux: the other end is closed
        pass
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    text = shown.decode()
    assert "0 of 3 runs" in text
    assert "3 of 3 runs" in text
    for number in (1, 2, 3):
        assert f"[{number}/3] lenet5 on mnist5k, seed {number - 1} epoch 2/3" in text
        assert f"[{number}/3] lenet5 on mnist5k, seed {number - 1}  epoch 3/3  train loss" in text


# The file


def test_a_file_is_a_grid_on_a_base_the_last_field_fastest(tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text("base: {epochs: 3, lr: 1e-2}\ngrid:\n  norm: [none, batch]\n  seed: [0, 1]\n")
    assert sweep_file.read(file) == grid(
        RunSpec(epochs=3, lr=0.01), norm=("none", "batch"), seed=(0, 1)
    )


def test_a_file_may_hold_several_blocks(tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text(
        "- base: {epochs: 1}\n"
        "- grid:\n    milestones: [[1], [2, 4]]\n  base: {schedule: step, gamma: 0.1}\n"
    )
    specs = sweep_file.read(file)
    assert [spec.milestones for spec in specs] == [None, (1,), (2, 4)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("base: {epoch: 3}", "base: epoch: unknown field; did you mean epochs?"),
        ("grid: {sed: [1]}", "grid: sed: unknown field; did you mean seed?"),
        ("bas: {epochs: 3}", "bas: unknown field; did you mean base?"),
        ("runs: {epochs: 3}", "runs: unknown field; expected base or grid"),
        ("base: {epochs: 0}", "epochs: expected at least 1, got 0"),
        ("grid: {lr: [0.1, -1]}", "lr: expected more than 0, got -1 (with lr -1)"),
        ("grid: {}", "grid: expected at least one field with its values, got none"),
        ("grid: {seed: []}", "grid: seed: expected a list of at least one value, got nothing"),
        ("grid: {seed: 3}", "grid: seed: expected a list of at least one value, got 3"),
        ("grid: [seed]", "grid: expected fields with their values, got ['seed']"),
        (
            "- base: {epochs: 1}\n- base: {epochs: x}",
            "block 2: epochs: expected a whole number, got 'x'",
        ),
        ("base: {epochs: 1}\nbase: {epochs: 2}", "line 1: base stands twice"),
        ("base: {epochs: 1", "no YAML: "),
        ("base: {a: !!python/name:os.system }", "no YAML: "),
        ("", "expected base and grid, got nothing"),
        ("seed", "expected base and grid, got 'seed'"),
        ("? [a]\n: 1", "found unhashable key"),
        ("[" * 5000, "no YAML: nested too deeply"),
        ("base: {epochs: " + "9" * 5000 + "}", "Exceeds the limit"),
        ("base: {seed: 2026-13-45}", "month must be in 1..12"),
        (
            "".join(["grid:\n", *(f"  {name}: {list(range(1, 151))}\n" for name in FIVE)]),
            "grid: expected at most 10,000 runs, got 150 seed × 150 epochs × 150 passes "
            "× 150 lr × 150 batch_size = 75,937,500,000",
        ),
        (
            "".join(f"- grid: {{seed: {list(range(6000))}}}\n" for _ in range(2)),
            "expected at most 10,000 runs, got 12,000 so far",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line(content, message, tmp_path):
    file = tmp_path / "sweep.yml"
    file.write_text(content)
    with pytest.raises(SpecError) as caught:
        sweep_file.read(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused_without_a_traceback(tmp_path):
    torn = tmp_path / "torn.yml"
    torn.write_bytes(b"\xff\xfe\xff")
    for file, reason in (
        (tmp_path / "none.yml", "No such file"),
        (torn, "not text in UTF-8"),
        (tmp_path, "directory"),
    ):
        ended = command(str(file))
        assert ended.returncode == 2
        assert reason in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_asking_through_runs_is_asking_the_sweep(monkeypatch):
    monkeypatch.setenv("CONVBOOK_WORKERS", "1")
    assert [record.spec for record in ask(iter(SPECS[:2]))] == SPECS[:2]

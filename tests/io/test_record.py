"""record: what a torch model says, in which order, the same bits after a kill."""

import numpy as np
import pytest
import zarr

from daskid.io.layers import layers_of, open_layers
from daskid.io.record import modules, record, writing
from daskid.storage import ledger

torch = pytest.importorskip(
    "torch", reason="torch is not installed: only record needs it (pip install 'daskid[torch]')"
)
nn = torch.nn
N, CLASSES = 50, 4


class Pair(nn.Module):
    """A module that returns a tuple, as recurrent and transformer layers do."""

    def forward(self, x):
        return x + 1, {"other": x}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True)
        self.flat, self.pair = nn.Flatten(), Pair()
        self.hidden, self.drop = nn.Linear(48, 8), nn.Dropout()
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        x, _ = self.pair(self.flat(self.relu(self.conv(x))))
        return self.head(self.drop(self.relu(self.hidden(x))))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Net()


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((N, 1, 6, 6)).astype("f4"))
    return x, torch.from_numpy(rng.integers(CLASSES, size=N))


def batches(samples, size=8, stop=N):
    x, y = samples
    for a in range(0, stop, size):
        yield x[a : a + size], y[a : a + size]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(writing, "BUFFER_BYTES", 20_000)  # 16 rows of the model above


def values(path):
    return {name: ds.rows.values for name, ds in layers_of(open_layers(path)).items()}


def test_record__equals_the_forward_pass(tmp_path, model, samples, small_chunks):
    x, y = samples
    model.train()
    layers = layers_of(record(model, batches(samples), tmp_path / "a.zarr"))
    assert model.training
    assert model.drop.training
    names = ["input", "conv", "relu", "pair", "hidden", "relu.call2", "head"]
    assert list(layers) == names  # dropout and flatten change nothing
    assert [round(ds.attrs["depth"] * 3) for ds in layers.values()] == [0, 1, 1, 1, 2, 2, 3]
    model.eval()
    with torch.no_grad():
        conv = model.conv(x)
        first = torch.relu(conv)
        hidden = model.hidden(first.flatten(1) + 1)
        head = model.head(torch.relu(hidden))
    truth = [x, conv, first, first.flatten(1) + 1, hidden, torch.relu(hidden), head]
    for name, expected in zip(names, truth, strict=True):
        rows = layers[name].rows
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected.reshape(N, -1), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(layers[name].true_label, y)
        np.testing.assert_array_equal(layers[name].predicted_label, head.argmax(dim=1))
    array = zarr.open_group(tmp_path / "a.zarr", mode="r")["conv/rows"]
    assert array.chunks == (16, 48)  # whole rows
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_record__same_bits_after_a_kill(tmp_path, model, samples, small_chunks):
    def dies():
        yield from batches(samples, 12, stop=36)
        raise KeyboardInterrupt

    record(model, batches(samples, 12), tmp_path / "whole.zarr")
    with pytest.raises(KeyboardInterrupt):
        record(model, dies(), tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=r"32 samples are there: run daskid\.record again"):
        open_layers(tmp_path / "a.zarr")
    seen = []
    handle = model.conv.register_forward_hook(lambda *args: seen.append(len(args[2])))
    record(model, batches(samples, 12), tmp_path / "a.zarr")
    handle.remove()
    assert seen == [12, 12, 12, 2]  # the first tells the shapes; of the next, 32 to 35 are new
    one, two = values(tmp_path / "whole.zarr"), values(tmp_path / "a.zarr")
    assert list(one) == list(two)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_record__same_bits_after_a_kill_in_the_middle_of_a_write(
    tmp_path, model, samples, small_chunks, monkeypatch
):
    record(model, batches(samples), tmp_path / "whole.zarr")
    write = ledger.write

    def dies(path, content):
        if path.name == writing.DONE and content == b"32":
            raise KeyboardInterrupt  # chunks of 32 rows are there, and not entered
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(writing.ledger, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            record(model, batches(samples), tmp_path / "a.zarr")
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["conv/rows"].shape == (32, 48)
    record(model, batches(samples), tmp_path / "a.zarr")
    one, two = values(tmp_path / "whole.zarr"), values(tmp_path / "a.zarr")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_record__again_computes_nothing(tmp_path, model, samples):
    record(model, batches(samples), tmp_path / "a.zarr")
    before = values(tmp_path / "a.zarr")
    calls = []
    handle = model.conv.register_forward_hook(lambda *args: calls.append(1))
    record(model, batches(samples), tmp_path / "a.zarr")
    handle.remove()
    assert len(calls) == 1
    with pytest.raises(ValueError, match="got other dtype, rows"):
        record(model, batches(samples), tmp_path / "a.zarr", dtype="float16")
    record(model, batches(samples), tmp_path / "a.zarr", dtype="float16", overwrite=True)
    after = values(tmp_path / "a.zarr")
    assert zarr.open_group(tmp_path / "a.zarr", mode="r")["conv/rows"].dtype == np.float16
    np.testing.assert_allclose(after["conv"], before["conv"], rtol=2e-3, atol=1e-3)


def test_record__goes_on_with_the_same_samples_and_model_only(tmp_path, samples, small_chunks):
    torch.manual_seed(1)
    model, (x, y) = Net(), samples

    def dies():
        yield from batches(samples, stop=40)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(model, dies(), tmp_path / "a.zarr")
    other = x.clone()
    other[11, 0, 2, 2] += 1
    with pytest.raises(ValueError, match="expected at sample 11 the one that is recorded"):
        record(model, batches((other, y)), tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="expected the 32 samples that are recorded"):
        record(model, batches(samples, stop=16), tmp_path / "a.zarr")
    with torch.no_grad():
        model.head.bias[0] += 1
    with pytest.raises(ValueError, match="unfinished job"):
        record(model, batches(samples), tmp_path / "a.zarr")


def test_layers__by_name_pattern_and_reduce(tmp_path, model, samples):
    tree = record(
        model, batches(samples), tmp_path / "a.zarr", layers=["conv", "h*"], reduce="mean"
    )
    layers = layers_of(tree)
    assert {name: ds.rows.shape[1] for name, ds in layers.items()} == {
        "conv": 3, "hidden": 8, "head": CLASSES
    }  # fmt: skip
    with torch.no_grad():
        mean = model.conv(samples[0]).mean(dim=(2, 3))
    np.testing.assert_allclose(layers["conv"].rows, mean, rtol=1e-4, atol=1e-6)

    def first(name, x, batch):
        assert len(batch.positional[0]) == len(x)
        return x.flatten(1)[:, :1]

    tree = record(model, batches(samples), tmp_path / "b.zarr", reduce=first)
    assert all(ds.rows.shape == (N, 1) for ds in layers_of(tree).values())


def test_batches__dicts_with_ids_and_text(tmp_path, samples):
    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(7, 5), nn.Linear(5, 3)

        def forward(self, tokens, mask):
            return {"scores": self.out((self.embed(tokens) * mask[..., None]).sum(1))}

    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(7, size=(20, 4)))
    ids = np.array([f"sample {i}" for i in range(20)])
    loader = [
        {"tokens": tokens[a : a + 5], "mask": torch.ones(5, 4), "sample_id": ids[a : a + 5]}
        for a in range(0, 20, 5)
    ]
    layers = layers_of(record(Scores(), loader, tmp_path / "a.zarr", layers=["embed", "out"]))
    assert layers["embed"].rows.shape == (20, 20)
    assert layers["embed"].attrs["depth"] == 0.5
    assert layers["out"].sample_id.values.tolist() == ids.tolist()
    assert layers["out"].predicted_label.dtype == np.int64
    assert "true_label" not in layers["out"].coords


class Words(nn.Module):
    """Tokens of one-hot rows, and what it says of them in a tuple, as transformers do."""

    def __init__(self):
        super().__init__()
        self.embed, self.mix = nn.Embedding(7, 5), nn.Linear(5, 5)
        self.block = Pair()

    def forward(self, input_ids, attention_mask):
        return self.block(self.mix(self.embed(input_ids)))


def sentences(pad, size=6):
    rng = np.random.default_rng(0)
    for length in (2, 4, 3):
        tokens = torch.from_numpy(rng.integers(7, size=(size, length)))
        mask = torch.from_numpy((np.arange(length) < rng.integers(1, length + 1, (size, 1))) * 1)
        more = nn.functional.pad
        yield {"input_ids": more(tokens, (0, pad), value=3), "attention_mask": more(mask, (0, pad))}


def test_reduce__means_leave_out_padding(tmp_path):
    model = Words()
    a, b = (
        layers_of(record(model, list(sentences(pad)), tmp_path / f"{pad}.zarr", reduce="mean"))
        for pad in (0, 5)
    )
    assert list(a) == ["embed", "mix", "block"]
    for name in a:
        np.testing.assert_allclose(a[name].rows, b[name].rows, rtol=1e-5, atol=1e-6)
    first = next(sentences(0))
    with torch.no_grad():
        own = model.embed(first["input_ids"])[0, first["attention_mask"][0] == 1].mean(dim=0)
    np.testing.assert_allclose(a["embed"].rows[0], own, rtol=1e-5, atol=1e-6)


def test_mean__of_half_precision_and_of_padding_that_is_no_number():
    tokens = torch.full((1, 512, 4), 300.0, dtype=torch.float16)
    tokens[0, 500:] = torch.nan
    batch = modules.Batch((), {modules.MASK: torch.arange(512)[None] < 500}, None, None)
    assert modules._mean(tokens, batch).tolist() == [[300.0] * 4]


def test_record__refuses_batches_of_other_lengths(tmp_path):
    with pytest.raises(ValueError, match="expected 10 features of 'embed' in every batch, got 20"):
        record(Words(), list(sentences(0)), tmp_path / "a.zarr")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"layers": "nosuch*"}, "choose among input, conv"),
        ({"reduce": lambda name, x, batch: x.sum()}, "expected 8 samples along the first axis"),
        ({"dtype": "float16", "layers": "big"}, r"in float16, got NaN.*the largest is 1e\+06"),
    ],
)
def test_record__refuses(tmp_path, samples, given, match):
    class Big(nn.Module):
        def forward(self, x):
            return 1e6 * torch.ones_like(x)

    model = Net()
    model.register_module("big", Big())
    run = model.forward
    model.forward = lambda x: run(x + 0 * model.big(x))
    with pytest.raises(ValueError, match=match):
        record(model, batches(samples), tmp_path / "a.zarr", **given)
    assert not (tmp_path / "a.zarr").exists()


def test_record__refuses_shuffling_and_empty_loaders(tmp_path, model, samples):
    data = torch.utils.data.TensorDataset(*samples)
    shuffling = torch.utils.data.DataLoader(data, batch_size=8, shuffle=True)
    with pytest.raises(ValueError, match="pass shuffle=False"):
        record(model, shuffling, tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="expected batches, got none"):
        record(model, [], tmp_path / "a.zarr")
    with pytest.raises(TypeError, match="expected batches of tensors"):
        record(model, [(1, 2)], tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "note.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="which holds something else"):
        record(model, batches(samples), tmp_path / "b.zarr")


def test_memory__at_most_a_chunk_and_a_batch_wait(tmp_path, model, samples, small_chunks):
    most = []
    add = writing.Writing.add

    def watched(self, batch):
        add(self, batch)
        most.append(self.held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing.Writing, "add", watched)
        record(model, batches(samples), tmp_path / "a.zarr")
    assert len(most) == 7
    assert max(most) < 16

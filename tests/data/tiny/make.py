#!/usr/bin/env python3
"""Makes the test backbone and the test data beside this file: a T5 of the smallest shape with random weights, a
tokenizer of a few hundred pieces, and two toy tasks whose texts are all ours.

    python3 -m venv venv && venv/bin/pip install numpy safetensors tokenizers && venv/bin/python make.py
"""
import csv
import json
import pathlib
import random

import numpy
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = pathlib.Path(__file__).parent
rng = random.Random(20261123)

# Two tasks: is the fruit ripe (a review of one sentence), and do two sentences say the same.
fruits = "apple pear plum cherry grape melon peach lemon fig date".split()
good = "ripe sweet juicy fresh lovely fine".split()
bad = "rotten sour dry old nasty poor".split()


def ripe(n):
    for _ in range(n):
        label = rng.randrange(2)
        word = rng.choice(good if label else bad)
        yield {"text": f"the {rng.choice(fruits)} from the {rng.choice(['market', 'shop', 'garden', 'farm'])} was {word}", "label": label}


def same(n):
    for _ in range(n):
        label = rng.randrange(2)
        first, second = rng.sample(fruits, 2)
        word = rng.choice(good + bad)
        yield {"first": f"the {first} is {word}", "second": f"{word} is the {first if label else second}", "label": label}


for name, rows in (("ripe", ripe), ("same", same)):
    for split, n in (("train", 160), ("validation", 80)):
        rows_ = list(rows(n))
        with open(here / f"{name}_{split}.csv", "w", newline="") as f:
            writer = csv.DictWriter(f, rows_[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows_)

texts = [line for path in sorted(here.glob("*.csv")) for line in path.read_text().splitlines()]
texts += ["sentence: sentence1: sentence2: ripe: same:", "good bad not_equivalent equivalent"] * 20
tokenizer = Tokenizer(models.Unigram())
tokenizer.normalizer = normalizers.NFKC()
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
tokenizer.decoder = decoders.Metaspace()
tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(
    vocab_size=200, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
tokenizer.save(str(here / "tokenizer.json"))

d, d_kv, heads, ff, layers, vocab = 32, 8, 4, 64, 2, 256
(here / "config.json").write_text(json.dumps({
    "model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "vocab_size": vocab, "d_model": d, "d_kv": d_kv,
    "d_ff": ff, "num_layers": layers, "num_decoder_layers": layers, "num_heads": heads, "feed_forward_proj": "relu",
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20, "dropout_rate": 0.1,
    "layer_norm_epsilon": 1e-6, "tie_word_embeddings": True, "pad_token_id": 0, "eos_token_id": 1,
    "decoder_start_token_id": 0}, indent=1) + "\n")
numbers = numpy.random.default_rng(20261123)
weights = {"shared.weight": numbers.normal(0, 1, (vocab, d))}
for stack in ("encoder", "decoder"):
    for i in range(layers):
        block = f"{stack}.block.{i}.layer"
        attentions = [(0, "SelfAttention")] + ([(1, "EncDecAttention")] if stack == "decoder" else [])
        for j, name in attentions:
            for part, scale in (("q", (d * d_kv) ** -0.5), ("k", d ** -0.5), ("v", d ** -0.5)):
                weights[f"{block}.{j}.{name}.{part}.weight"] = numbers.normal(0, scale, (heads * d_kv, d))
            weights[f"{block}.{j}.{name}.o.weight"] = numbers.normal(0, (heads * d_kv) ** -0.5, (d, heads * d_kv))
            weights[f"{block}.{j}.layer_norm.weight"] = numpy.ones(d)
        if i == 0:
            weights[f"{block}.0.SelfAttention.relative_attention_bias.weight"] = numbers.normal(0, 0.5, (8, heads))
        j = len(attentions)
        weights[f"{block}.{j}.DenseReluDense.wi.weight"] = numbers.normal(0, d ** -0.5, (ff, d))
        weights[f"{block}.{j}.DenseReluDense.wo.weight"] = numbers.normal(0, ff ** -0.5, (d, ff))
        weights[f"{block}.{j}.layer_norm.weight"] = numpy.ones(d)
    weights[f"{stack}.final_layer_norm.weight"] = numpy.ones(d)
save_file({k: v.astype(numpy.float32) for k, v in weights.items()}, here / "model.safetensors", {"format": "pt"})

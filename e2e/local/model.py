"""Writes the model that the servers run: a real one, of 9 MB, whose weights say which token follows which.

No layer changes anything: the logits are a table of the last token alone. So the end of the prompt chooses the
answer, and the chat template chooses the end of the prompt: a call while there are tools and no result yet, numbers
without end where the question says `count`, and else a sentence. A character of the prompt is a token.
"""

import sys

import gguf
import numpy

WINDOW = 8192
# So many do nothing but take time: a thousand tokens a second or so, on one core.
LAYERS = 32
HEAD = FEED = 32

SENTENCE = ["Yes", ",▁I", "▁am", "▁here", "."]
NUMBERS = ["▁one", "▁two", "▁three", "▁four"]
CALL = [
    "<tool_call>", "\n", '{"name":', '▁"get_weather",', '▁"arguments":', '▁{"city":', '▁"Paris"}', "}", "\n</tool_call>",
]  # fmt: skip
END = "<|end|>"
# The form of a call is that of Hermes and Qwen, which llama.cpp reads out of the template.
TEMPLATE = """\
{%- if tools %}<|tools|>{% for tool in tools %}{{ tool | tojson }}
{% endfor %}For each function call, return a json object within <tool_call></tool_call> tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>{% endif %}
{%- for message in messages %}<|{{ message.role }}|>{{ message.content }}
{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|end|>{% endfor %}
{%- if add_generation_prompt %}
{%- if 'count' in (messages[-1].content or '') %}<|count|>
{%- elif tools and messages[-1].role == 'user' %}<|call|>
{%- else %}<|answer|>{% endif %}
{%- endif %}"""

NORMAL, UNKNOWN, CONTROL, OWN, UNUSED, BYTE = (int(kind) for kind in gguf.TokenType)


def tokens():
    """The vocabulary, each token with its kind, in the order of their numbers."""
    found = {"<unk>": UNKNOWN, "<s>": CONTROL, END: CONTROL}
    found |= {f"<0x{byte:02X}>": BYTE for byte in range(256)}
    roles = "system", "user", "assistant", "tool", "tools", "answer", "count", "call"
    found |= {f"<|{role}|>": CONTROL for role in roles}
    found |= dict.fromkeys([*SENTENCE, *NUMBERS, *CALL], NORMAL)
    found |= {CALL[0]: OWN, CALL[-1]: OWN}
    return found | {f"<unused{at}>": UNUSED for at in range(-len(found) % 32)}


def table(numbers):
    """The logits: 1 for the token that follows each, as wide as the vocabulary."""
    follows = dict.fromkeys(numbers, END)
    for beginning, words, then in (
        ("<|answer|>", SENTENCE, END), ("<|count|>", NUMBERS, NUMBERS[0]), ("<|call|>", CALL, END),
    ):  # fmt: skip
        follows |= dict(zip([beginning, *words], [*words, then]))
    logits = numpy.zeros((len(numbers),) * 2, numpy.float32)
    for token, next_one in follows.items():
        logits[numbers[next_one], numbers[token]] = 1
    return logits


def write(path):
    vocabulary = tokens()
    width = len(vocabulary)
    numbers = {token: at for at, token in enumerate(vocabulary)}
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny")
    out.add_context_length(WINDOW)
    out.add_embedding_length(width)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED)
    out.add_head_count(1)
    out.add_head_count_kv(1)
    out.add_key_length(HEAD)
    out.add_value_length(HEAD)
    out.add_rope_dimension_count(HEAD)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(width)
    out.add_tokenizer_model("llama")
    out.add_token_list(list(vocabulary))
    out.add_token_scores([0.0] * width)
    out.add_token_types(list(vocabulary.values()))
    out.add_unk_token_id(numbers["<unk>"])
    out.add_bos_token_id(numbers["<s>"])
    out.add_eos_token_id(numbers[END])
    out.add_add_bos_token(True)
    out.add_add_space_prefix(False)
    out.add_chat_template(TEMPLATE)
    out.add_tensor("token_embd.weight", numpy.eye(width, dtype=numpy.float32))
    out.add_tensor("output_norm.weight", numpy.ones(width, numpy.float32))
    out.add_tensor("output.weight", table(numbers))
    shapes = {
        "attn_norm": (width,), "attn_q": (HEAD, width), "attn_k": (HEAD, width), "attn_v": (HEAD, width),
        "attn_output": (width, HEAD), "ffn_norm": (width,), "ffn_gate": (FEED, width), "ffn_up": (FEED, width),
        "ffn_down": (width, FEED),
    }  # fmt: skip
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            out.add_tensor(f"blk.{layer}.{name}.weight", numpy.zeros(shape, numpy.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    write(sys.argv[1])

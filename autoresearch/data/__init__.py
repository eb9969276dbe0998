"""Text to tokens: corpora, splits, the tokenizer, packed rows, and the loader that feeds them to training."""

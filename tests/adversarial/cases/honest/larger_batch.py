"""Four times the rows at a time, and eight times the tokens a step."""

VALUES = {"device_batch_size": 8, "total_batch_size": 4096}

"""The language model: what is said to it, what it answers, what that costs, and a server that plays its part."""

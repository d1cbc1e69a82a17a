"""Any OpenAI-compatible chat-completions endpoint: hosted ones, vLLM, SGLang, Ollama, llama.cpp, LM Studio.

The guideline is the system prompt; texts of shoppers and sellers are JSON in the user's turn. Answers are forced by a
schema where the endpoint knows one, and are otherwise one strictly read JSON object: nothing is looked for in prose.
"""

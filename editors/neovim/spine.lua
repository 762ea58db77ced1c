-- Policies in Neovim (0.11 or later): findings, completion, hover, renaming, formatting, colours.
-- Copy it to ~/.config/nvim/plugin/spine.lua, or require it from your init.lua.

vim.filetype.add({ extension = { policy = "spine-policy" } })

vim.lsp.config("spine", {
  cmd = { "spine", "lsp" },
  filetypes = { "spine-policy" },
  root_markers = { "spine.yaml", ".git" },
})
vim.lsp.enable("spine")

vim.api.nvim_create_autocmd("FileType", {
  pattern = "spine-policy",
  callback = function()
    vim.bo.commentstring = "# %s"
    vim.bo.shiftwidth = 2
    vim.bo.expandtab = true
  end,
})

vim.api.nvim_create_autocmd("LspAttach", {
  callback = function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if not client or client.name ~= "spine" then return end
    -- The time at which each stage can start.
    vim.lsp.inlay_hint.enable(true, { bufnr = event.buf })
    vim.lsp.completion.enable(true, client.id, event.buf, { autotrigger = true })
  end,
})

# Answers completion questions in an interactive zsh: Ctrl-T completes each line of the file $questions and writes what compadd is given to $answers.
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' completer _complete
source "$script"

compadd() {
  # Those that only ask for matches are none of ours.
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
    builtin compadd "$@"
    return $?
  fi
  local -a hits shown row
  local at
  if (( $@[(I)-d] )); then
    row=${@[$[${@[(i)-d]}+1]]}
    if [[ $row == \(* ]]; then eval "shown=$row"; else shown=( "${(@P)row}" ); fi
  fi
  builtin compadd -A hits -D shown "$@"
  setopt localoptions extendedglob
  local -A before
  zparseopts -E P:=before p:=before
  for at in {1..$#hits}; do
    [[ -n $hits[$at] ]] || continue
    printf '%s\002%s\003' "$IPREFIX${(j::)${(@v)before}}$hits[$at]" "${shown[$at]}" >> $answers
  done
}

answer-all() {
  local line
  for line in "${(@f)$(<$questions)}"; do
    BUFFER=$line
    CURSOR=$#BUFFER
    zle capture
    printf '\001' >> $answers
  done
  BUFFER=
  print -n done > $answers.done
}

zle -C capture complete-word _main_complete
zle -N answer-all
bindkey '^T' answer-all
bindkey '^I' complete-word
print -n ready > $answers.ready
